"""The architectures that Orb's weights belong to: a file of weights does not say which.  Nothing heavy.

Names, addresses and sizes are those of ``orb_models.forcefield.pretrained`` (0.5.5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mlpzoo.elements import OF_MATERIALS

STORE: Final = "https://orbitalmaterials-public-models.s3.us-west-1.amazonaws.com/forcefields"
CUTOFF_ANG: Final = 6.0
MOST_NEIGHBOURS: Final = 120
"""Of what Orb calls unlimited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What must be known to use a file of weights.

    Attributes:
        generation: 2 or 3.
        conservative: Whether forces are the gradient of the energy, or the answer of a network of their own.
        neighbours: The nearest so many atoms send messages.
        elements: Chemical symbols that it was trained on.
        sizes: Arguments of Orb's function, where they are not its defaults.
    """

    generation: int = 3
    conservative: bool
    neighbours: int = MOST_NEIGHBOURS
    elements: tuple[str, ...] = OF_MATERIALS
    sizes: dict[str, Any] = field(default_factory=dict)


def _generation_3() -> dict[str, Architecture]:
    return {
        f"v3-{kind}-{neighbours}-{data}": Architecture(
            conservative=kind == "conservative",
            neighbours=MOST_NEIGHBOURS if neighbours == "inf" else int(neighbours),
        )
        for data in ("omat", "mpa")
        for neighbours in ("inf", "20")
        for kind in ("conservative", "direct")
    }


def _generation_2() -> dict[str, Architecture]:
    steps = {"v2": 15, "d3-v2": 15, "d3-sm-v2": 10, "d3-xs-v2": 5, "mptraj-only-v2": 15}
    return {
        name: Architecture(
            generation=2, conservative=False, neighbours=20, sizes={"num_message_passing_steps": n}
        )
        for name, n in steps.items()
    }


TINY: Final[dict[str, Any]] = {
    "latent_dim": 16,
    "base_mlp_hidden_dim": 16,
    "base_mlp_depth": 1,
    "head_mlp_hidden_dim": 16,
    "num_message_passing_steps": 2,
}
FEW: Final = ("Al", "Cu", "O", "Si")

PUBLISHED: Final = {**_generation_3(), **_generation_2()}
"""Name of a card, after ``orb/``, to its architecture; the first is the default."""
RANDOM: Final = {
    "conservative": Architecture(conservative=True, elements=FEW, sizes=TINY),
    "conservative-20": Architecture(conservative=True, neighbours=20, elements=FEW, sizes=TINY),
    "direct": Architecture(conservative=False, elements=FEW, sizes=TINY),
}
"""Kinds of models with random weights; their files are named ``random-KIND.ckpt``."""


def named_in(stem: str) -> Architecture | None:
    """The architecture whose name is part of a file's name; the longest, as one name contains another."""
    names = {f"orb-{name}": known for name, known in PUBLISHED.items()}
    names |= {f"random-{kind}": known for kind, known in RANDOM.items()}
    hits = sorted((name for name in names if name in stem.lower().replace("_", "-")), key=len)
    return names[hits[-1]] if hits else None
