"""The published universal PET models that mlpzoo knows: what differs between them is one line each.

Names are those of ``upet.ase.UPETCalculator`` (0.3.1), levels of theory, training sets, numbers of elements
and cutoffs those of https://lab-cosmo.github.io/upet/latest/models.html.
"""

from __future__ import annotations

from typing import Final

from mlpzoo.elements import OF_MATERIALS, SYMBOLS
from mlpzoo.models import Checkpoint, ModelCard

HUB: Final = "https://huggingface.co/lab-cosmo/upet/resolve/main/models"
CUTOFFS_ANG: Final = {"xs": 7.5, "s": 8.0, "m": 8.5, "l": 9.0, "xl": 10.0}
LAYERS: Final = {"xs": 2, "s": 3, "m": 3, "l": 4, "xl": 5}

MAD_ELEMENTS: Final = SYMBOLS[:102]
OMAD_ELEMENTS: Final = tuple(symbol for symbol in SYMBOLS[:86] if symbol != "At")

HIGH_INFORMATION: Final = (
    "Malosso et al., High-quality, high-information datasets for universal atomistic machine learning "
    "(2026), doi:10.48550/arXiv.2603.02089"
)
PUSHING: Final = (
    "Bigi et al., Pushing the limits of unconstrained machine-learned interatomic potentials (2026), "
    "doi:10.48550/arXiv.2601.16195"
)
SETS: Final = {
    "mad": ("r2SCAN", "OMat24, then MAD-1.6", MAD_ELEMENTS, HIGH_INFORMATION),
    "omat": ("PBE", "OMat24", OF_MATERIALS, PUSHING),
    "oam": ("PBE", "OMat24, then sAlex and MPtrj", OF_MATERIALS, PUSHING),
    "omatpes": ("r2SCAN", "OMat24, then MatPES", OF_MATERIALS, PUSHING),
    "omad": ("PBEsol", "OMat24, then MAD-1.0", OMAD_ELEMENTS, PUSHING),
}
"""Level of theory, training sets, elements, citation."""

MODELS: Final = (
    ("mad-s", "1.6.0"),
    ("mad-xs", "1.6.0"),
    ("mad-m", "1.6.0"),
    ("omat-xs", "1.0.0"),
    ("omat-s", "1.0.0"),
    ("omat-m", "1.0.0"),
    ("omat-l", "1.0.0"),
    ("omat-xl", "1.0.0"),
    ("oam-l", "0.1.0"),
    ("oam-xl", "1.0.0"),
    ("omatpes-l", "0.1.0"),
    ("omad-xs", "1.0.0"),
    ("omad-s", "1.0.0"),
    ("omad-l", "0.1.0"),
)
"""Name here and version; the first is the default."""

ROTATIONS: Final = (
    "Rotations are learnt, not built in: turning a structure changes its energy a little, and turned "
    "forces are not exactly the forces turned."
)
NOTES: Final = (
    "Each atom's cutoff shrinks, where it has many neighbours, to a set number of them. "
    "Trained in float32; float64 computes with the same weights. Energies of the elements, from the "
    "training set, are part of the total: compare differences within one composition. Its authors publish "
    "no checksum: that of the first use counts."
)


def cards() -> tuple[ModelCard, ...]:
    """One of each of `MODELS`."""
    return tuple(_card(*model) for model in MODELS)


def _card(name: str, version: str) -> ModelCard:
    data, _, size = name.partition("-")
    level, training_set, elements, citation = SETS[data]
    reach = LAYERS[size] * CUTOFFS_ANG[size]
    return ModelCard(
        name=f"upet/{name}",
        family="upet",
        title=f"PET-{data.upper()}-{size.upper()} {version}: foundation model, {len(elements)} elements",
        elements=elements,
        properties=("energy", "forces", "stress"),
        conservative=True,
        cutoff_ang=CUTOFFS_ANG[size],
        level_of_theory=level,
        training_set=training_set,
        licence="BSD-3-Clause",
        citation=citation,
        notes=f"{ROTATIONS} {LAYERS[size]} layers: an atom feels others up to {reach:g} Å away. {NOTES}",
        checkpoint=Checkpoint(url=f"{HUB}/pet-{name}-v{version}.ckpt"),
    )
