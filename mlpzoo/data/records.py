"""What lies in a labelling queue: frames, their labels, and how they were sampled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from ase import Atoms


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedFrame:
    """A sampled structure, periodic.

    Attributes:
        frame_id: Unique name.
        system: The data set that it is for: `si-vacancy`, `si-training`.
        run: Name of the record of how it was sampled.
        order: Frames of low order are labelled first.
        symbols: Chemical symbols.
        cell_ang: Lattice vectors, one a row.
        positions_ang: One row an atom.
        re_mask: Whether an atom is a rare-event atom; empty if nobody looked for events.
        r_ang: Each atom's distance to the nearest rare-event atom; empty like `re_mask`.
        sampler: The model that decided where it is.
        time_fs: In its trajectory.
        temperature_kelvin: Of its thermostat; 0 if it is not from MD.
        levels: The levels of theory that it is to be labelled at, in this order.
        file: Which file of the data set it is for: `train`, `validation`, ...
        group: What it is: `strain`, `vacancy-md`, ...
    """

    frame_id: str
    system: str
    run: str
    order: int
    symbols: list[str]
    cell_ang: list[list[float]]
    positions_ang: list[list[float]]
    re_mask: list[bool]
    r_ang: list[float]
    sampler: str
    time_fs: float
    temperature_kelvin: float
    levels: tuple[str, ...] = ("gamma", "k222")
    file: str = "frames"
    group: str = ""

    def is_structure_of(self, other: QueuedFrame) -> bool:
        """Whether the other frame has the same atoms at the same places, to 1e-6 Å."""
        if self.symbols != other.symbols:
            return False
        pairs = ((self.cell_ang, other.cell_ang), (self.positions_ang, other.positions_ang))
        return all(np.allclose(a, b, rtol=0.0, atol=1e-6) for a, b in pairs)

    def atoms(self) -> Atoms:
        """Make the structure, without labels."""
        return Atoms(self.symbols, positions=self.positions_ang, cell=np.array(self.cell_ang), pbc=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Energy (eV), forces (eV/Å) and maybe stress (eV/Å³) at one level of theory, or why there are none."""

    level: str
    status: Literal["converged", "failed"]
    message: str = ""
    energy_ev: float = 0.0
    forces_ev_per_ang: list[list[float]] = field(default_factory=list)
    stress_ev_per_ang3: list[float] | None = None
    code: str = ""
    level_of_theory: str = "PBE"
    title: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    pseudopotentials: dict[str, dict[str, str]] = field(default_factory=dict)
    n_scf: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one trajectory was made and what was found in it; `counts` holds the event statistics."""

    run: str
    system: str
    sampler: str
    settings: dict[str, Any]
    counts: dict[str, float]
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """One frame's state, for progress tables."""

    frame_id: str
    levels: dict[str, str]
    owner: str
