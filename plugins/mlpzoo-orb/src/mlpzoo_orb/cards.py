"""The published Orb models: what differs between them is one line each."""

from __future__ import annotations

from typing import Final

from mlpzoo.models import Checkpoint, ModelCard
from mlpzoo_orb.architectures import CUTOFF_ANG, PUBLISHED, STORE, Architecture

RELEASES: Final = {
    "v2": "orb-v2-20241011",
    "d3-v2": "orb-d3-v2-20241011",
    "d3-sm-v2": "orb-d3-sm-v2-20241011",
    "d3-xs-v2": "orb-d3-xs-v2-20241011",
    "mptraj-only-v2": "orb-mptraj-only-v2-20241014",
}
"""Files of the second generation; those of the third end with one date."""
CITATIONS: Final = {
    2: "Neumann et al., Orb: A Fast, Scalable Neural Network Potential (2024), doi:10.48550/arXiv.2410.22570",
    3: "Rhodes et al., Orb-v3: atomistic simulation at scale (2025), doi:10.48550/arXiv.2504.06231",
}
ROTATION: Final = (
    "Not invariant under rotations by construction: the energy changes a little when everything is turned."
)
DIRECT: Final = (
    "Direct forces and stresses: a network's answer, not the gradient of the energy, which MD does not keep."
)
FEW: Final = (
    "Only the 20 nearest atoms send messages, so that energies jump where an atom joins or leaves them."
)
COMMON: Final = (
    "Trained in float32; float64 computes with the same weights. Several layers: an atom feels others beyond "
    "the cutoff of a bond. A reference energy of each element is part of the total. Its authors publish no "
    "checksum: that of the first use counts."
)


AVERAGED: Final = (
    "Its repulsion of atoms closer than the sum of their covalent radii is divided by the number of atoms: "
    "not extensive there."
)


def cards() -> tuple[ModelCard, ...]:
    """One of each of `PUBLISHED`."""
    return tuple(_card(name, architecture) for name, architecture in PUBLISHED.items())


def _card(name: str, architecture: Architecture) -> ModelCard:
    warnings = [ROTATION]
    warnings.append(AVERAGED if architecture.conservative else DIRECT)
    if architecture.neighbours == 20:  # noqa: PLR2004  (as its name says)
        warnings.append(FEW)
    third = f"orb-v3/orb-{name}-20250404"
    forces = "conservative" if architecture.conservative else "direct forces"
    return ModelCard(
        name=f"orb/{name}",
        family="orb",
        title=f"Orb {name}: foundation model, 89 elements, {forces}",
        elements=architecture.elements,
        properties=("energy", "forces", "stress"),
        conservative=architecture.conservative,
        cutoff_ang=CUTOFF_ANG,
        level_of_theory="PBE+D3" if name.startswith("d3") else "PBE",
        training_set=_training_set(name),
        licence="Apache-2.0",
        citation=CITATIONS[architecture.generation],
        notes=" ".join([*warnings, COMMON]),
        checkpoint=Checkpoint(url=f"{STORE}/{RELEASES.get(name, third)}.ckpt"),
    )


def _training_set(name: str) -> str:
    if name.endswith("omat"):
        return "OMat24"
    return "MPtrj" if name.startswith("mptraj-only") else "MPtrj and Alexandria"
