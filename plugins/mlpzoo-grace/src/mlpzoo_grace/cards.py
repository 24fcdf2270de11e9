"""The published GRACE models that mlpzoo knows: what differs between them is one line each.

Names, addresses and the licence are those of ``tensorpotential.calculator.foundation_models`` (0.6.2), the
training sets those of https://gracemaker.readthedocs.io/en/latest/gracemaker/foundation/.
"""

from __future__ import annotations

from typing import Final

from mlpzoo.elements import OF_MATERIALS
from mlpzoo.models import Checkpoint, ModelCard

HUB: Final = "https://huggingface.co/AMS-ICAMS-RUB/grace-foundation-models/resolve"
SMALL: Final = "kk"
"""The release of the small models, which are float64."""
LARGE: Final = "model-v5-uq-v6"
"""The release of the others: float32, and float64 where the name ends with it."""

LAYERS: Final = {
    "fs": ("in the manner of Finnis and Sinclair", "Local."),
    "1l": ("one layer", "Local."),
    "2l": ("two layers", "Two layers: an atom feels others up to 12 Å away."),
    "3l": ("three layers", "Three layers: an atom feels others up to 18 Å away."),
}
OMAT: Final = "OMat24"
OAM: Final = "OMat24, then sAlex and MPtrj"
TUNED: Final = {"base": OMAT, "ft-E": "OMat24, then with more weight on energies", "ft-AM": OAM}
MODELS: Final = (
    ("1l-oam", "GRACE-1L-OAM", SMALL, OAM),
    ("2l-oam", "GRACE-2L-OAM", SMALL, OAM),
    ("fs-oam", "GRACE-FS-OAM", SMALL, OAM),
    ("fs-omat", "GRACE-FS-OMAT", SMALL, OMAT),
    ("1l-omat", "GRACE-1L-OMAT", SMALL, OMAT),
    ("2l-omat", "GRACE-2L-OMAT", SMALL, OMAT),
    *(
        (f"{n}l-omat-{size}-{tuned}".lower(), f"GRACE-{n}L-OMAT-{size}-{tuned}-fp64", LARGE, TUNED[tuned])
        for n in (1, 2)
        for size in ("medium", "large")
        for tuned in TUNED
    ),
    ("3l-omat-large", "GRACE-3L-OMAT-large", LARGE, OMAT),
    ("3l-omat-large-ft-am", "GRACE-3L-OMAT-large-ft-AM", LARGE, OAM),
)
"""Name here, name of the file, release, training sets; the first is the default."""

CITATION: Final = (
    "Lysogorskiy, Bochkarev, Drautz, Graph atomic cluster expansion for foundational machine learning "
    "interatomic potentials (2025), doi:10.48550/arXiv.2508.17936"
)
NOTES: Final = (
    "+U for some oxides and fluorides, as in its training sets. Energies are theirs: compare differences "
    "within one composition. Its authors publish no checksum: that of the first use counts."
)


def cards() -> tuple[ModelCard, ...]:
    """One of each of `MODELS`."""
    return tuple(_card(*model) for model in MODELS)


def _card(name: str, file: str, release: str, training_set: str) -> ModelCard:
    layers = name.partition("-")[0]
    kind, reach = LAYERS[layers]
    double, single = (
        "Always float64, as it was saved.",
        "Saved in float32 alone: to be used with --dtype float32.",
    )
    return ModelCard(
        name=f"grace/{name}",
        family="grace",
        title=f"{file.removesuffix('-fp64')}: foundation model, 89 elements, {kind}",
        elements=OF_MATERIALS,
        properties=("energy", "forces", "stress"),
        conservative=True,
        cutoff_ang=6.0,
        level_of_theory="PBE",
        training_set=training_set,
        licence="Academic Software License (no commercial use)",
        citation=CITATION,
        notes=f"{single if layers == '3l' else double} {reach} {NOTES}",
        checkpoint=Checkpoint(url=f"{HUB}/{release}/models/{file}-model.tar.gz"),
    )
