"""The published potentials that MatGL 4 can load: what differs between them is one line each.

They are those of the organisation ``materialyze`` on Hugging Face.  Older ones were trained with another
convention of passing messages: their numbers would be wrong.
"""

from __future__ import annotations

from typing import Final

from mlpzoo.elements import OF_MATERIALS
from mlpzoo.models import Checkpoint, ModelCard

HUB: Final = "https://huggingface.co/materialyze"
FILES: Final = ("model.json", "model.pt", "state.pt")

JUMPS: Final = (
    "The force on an atom jumps where it crosses the cutoff: MatGL takes the envelope of the radial "
    "functions instead of the distance."
)
NOTES: Final = (
    "Trained in float32; float64 computes with the same weights. Several layers: an atom feels others beyond "
    "the cutoff of a bond. No +U. A reference energy of each element is part of the total."
)
MODELS: Final = (
    ("tensornet-matpes-pbe", "TensorNet-PES-MatPES-PBE-2025.2", 5.0, "", "PBE"),
    ("tensornet-matpes-r2scan", "TensorNet-PES-MatPES-r2SCAN-2025.2", 5.0, "", "r2SCAN"),
    ("m3gnet-matpes-pbe", "M3GNet-PES-MatPES-PBE-2025.2", 5.0, "", "PBE"),
    ("m3gnet-matpes-r2scan", "M3GNet-PES-MatPES-r2SCAN-2025.2", 5.0, "", "r2SCAN"),
    ("chgnet-matpes-pbe", "CHGNet-PES-MatPES-PBE-2025.2.10", 6.0, JUMPS, "PBE"),
    ("chgnet-matpes-r2scan", "CHGNet-PES-MatPES-r2SCAN-2025.2.10", 6.0, JUMPS, "r2SCAN"),
)
"""Name here, name on the hub, cutoff of a bond (Å), a warning, level of theory; the first is the default."""

TEST_ERRORS: Final = {
    "m3gnet-matpes-pbe": {
        "energy_mae_mev_per_atom": 43.4, "force_mae_ev_per_ang": 0.183, "stress_mae_gpa": 0.868,
    },
}  # fmt: skip
"""Mean absolute errors on its own test set, where the page of the model states them."""


def cards() -> tuple[ModelCard, ...]:
    """One of each of `MODELS`."""
    return tuple(_card(*model) for model in MODELS)


def _card(name: str, published: str, cutoff_ang: float, warning: str, level: str) -> ModelCard:
    return ModelCard(
        name=f"matgl/{name}",
        family="matgl",
        title=f"{published.partition('-')[0]}, MatPES {level}: foundation potential, 89 elements",
        elements=OF_MATERIALS,
        properties=("energy", "forces", "stress"),
        conservative=True,
        cutoff_ang=cutoff_ang,
        level_of_theory=level,
        training_set=f"MatPES-{level}-2025.2, or an earlier release of it for CHGNet",
        test_errors=TEST_ERRORS.get(name, {}),
        licence="BSD-3-Clause (MatGL's; the hub names none for the weights)",
        citation=(
            "MatGL: Ko et al. (2025), doi:10.48550/arXiv.2503.03837; MatPES: Kaplan et al. (2025), "
            "doi:10.48550/arXiv.2503.04070"
        ),
        notes=f"{NOTES} {warning}".strip(),
        checkpoint=Checkpoint(url=f"{HUB}/{published}/resolve/main", files=FILES),
    )
