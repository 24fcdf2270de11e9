"""The published UMA models that mlpzoo knows: one card for each model and task.

Names and addresses are those of ``fairchem.core.calculate.pretrained_models.json`` (2.24.0).
"""

from __future__ import annotations

from typing import Final

from mlpzoo.elements import OF_MATERIALS, SYMBOLS
from mlpzoo.models import Checkpoint, ModelCard

HUB: Final = "https://huggingface.co/facebook/UMA/resolve/main/checkpoints"
MODELS: Final = ("uma-s-1p2p1", "uma-s-1p1", "uma-m-1p1")
"""Names of the files; the first is the default.  uma-s-1p2 is left out: its energies are not extensive."""
MOLECULES: Final = SYMBOLS[: SYMBOLS.index("Bi") + 1]
TASKS: Final = {
    "omat": (
        "inorganic materials",
        OF_MATERIALS,
        "PBE",
        "OMat24, with the other sets of UMA",
        "+U for some oxides and fluorides, as in OMat24.",
    ),
    "omol": (
        "molecules",
        MOLECULES,
        "wB97M-V/def2-TZVPD",
        "OMol25, with the other sets of UMA",
        "Each structure is a neutral singlet. The stress, a derivative of the energy, was not trained.",
    ),
}
"""Title, elements, level of theory, training set, and what else there is to know."""
CITATION: Final = (
    "Wood et al., UMA: A Family of Universal Models for Atoms (2025), doi:10.48550/arXiv.2506.23971"
)
NOTES: Final = (
    "Trained in float32. Energies are those of the training set: compare differences within one composition. "
    "Mixes experts by the composition of the whole structure, so atoms far apart are not independent. "
    "Gated: accept the licence at https://huggingface.co/facebook/UMA and download with your own account. "
    "Its authors publish no checksum: that of the first use counts."
)


def cards() -> tuple[ModelCard, ...]:
    """One of each model for each task."""
    return tuple(_card(model, task) for model in MODELS for task in TASKS)


def _card(model: str, task: str) -> ModelCard:
    what, elements, level, training_set, more = TASKS[task]
    return ModelCard(
        name=f"fairchem/{model}-{task}",
        family="fairchem",
        title=f"{model}, task {task}: foundation model for {what}, {len(elements)} elements",
        elements=elements,
        properties=("energy", "forces", "stress"),
        conservative=True,
        cutoff_ang=6.0,
        level_of_theory=level,
        training_set=training_set,
        licence="FAIR Chemistry License v1 (gated; acceptable use policy)",
        citation=CITATION,
        notes=f"{more} {NOTES}",
        checkpoint=Checkpoint(url=f"{HUB}/{model}.pt"),
    )
