"""One LAMMPS instance that holds a potential and one structure at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlpzoo.errors import CalculationError, ModelError
from mlpzoo_lammps.library import open_lammps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlpzoo_lammps.box import Box

    FloatArray = NDArray[np.float64]

SKIN_ANG: Final = 1.0
"""Neighbour lists reach this much farther than the potential, and hold until an atom moved half of it."""
SAFETY: Final = 0.999
"""Of half a skin: lists are made anew before LAMMPS would do it."""
BAR_ANG3_IN_EV: Final = 1 / 1.6021765e6
"""LAMMPS's own constant of metal units (``nktv2p`` in ``update.cpp``), to be undone exactly."""
MAX_BINS_PER_ATOM: Final = 1e5
"""Sparser boxes find pairs without bins, whose memory grows with the volume."""

HAS: Final = (
    "adp", "agni", "airebo", "atm", "bop", "eam", "eam/alloy", "eam/cd", "eam/fs", "eam/he", "edip",
    "edip/multi", "eim", "extep", "gw", "gw/zbl", "hybrid", "hybrid/overlay", "kim", "lcbop", "lj/cut",
    "meam", "meam/ms", "meam/spline", "meam/sw/spline", "mliap", "morse", "nb3b/harmonic", "nep", "pace",
    "pod", "polymorphic", "quip", "rann", "rebo", "snap", "sw", "sw/mod", "table", "tersoff", "tersoff/mod",
    "tersoff/mod/c", "tersoff/zbl", "threebody/table", "uf3", "vashishta", "zbl",
)  # fmt: skip
"""Styles for crystals of neutral atoms; an error lists those of them that the library has."""


class Engine:
    """LAMMPS with a potential loaded.

    Args:
        name: Of the model, for messages.
        commands: Its ``labelmap``, ``pair_style`` and ``pair_coeff`` lines.
        masses: One an atom type, in u: LAMMPS wants them, nothing depends on them.

    Raises:
        ModelError: LAMMPS refuses the potential.
    """

    def __init__(self, name: str, commands: Sequence[str], masses: Sequence[float]) -> None:
        self.name = name
        self._lammps = open_lammps()
        self._boundary = "p p p"
        self._neighbours = "bin"
        self._order: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._x: Any = None
        self._f: Any = None
        self._reference: FloatArray = np.zeros((0, 3))
        try:
            for line in (
                "units metal",
                "atom_style atomic",
                "atom_modify map array sort 0 0",
                f"boundary {self._boundary}",
                "region all prism 0 10 0 10 0 10 0 0 0",
                f"create_box {len(masses)} all",
                *(f"mass {i} {mass!r}" for i, mass in enumerate(masses, start=1)),
                *commands,
                f"neighbor {SKIN_ANG} bin",
                "neigh_modify every 1 delay 0 check yes one 20000 page 400000",
                "compute virial all pressure NULL virial",
                "thermo_style custom step pe c_virial[1]",
                "thermo_modify norm no",
                "run 0 post no",
            ):
                self._lammps.command(line)
        except Exception as error:
            refusal = self._refusal(error)
            self.close()
            raise refusal from error

    def _refusal(self, error: Exception) -> ModelError:
        message = _message(error)
        if "nrecognized pair style" not in message:
            return ModelError(
                f"{self.name}: LAMMPS refuses the potential: {message}",
                hint="correct the line: LAMMPS's manual has a page on each pair style",
            )
        return ModelError(f"{self.name}: {message}", hint=f"this LAMMPS has {', '.join(self.styles())}, ...")

    def styles(self) -> list[str]:
        """Pair styles for crystals of neutral atoms that this library has."""
        known = set(self._lammps.available_styles("pair"))
        return [style for style in HAS if style in known]

    def close(self) -> None:
        """Free what LAMMPS holds."""
        self._x = self._f = None
        if self._lammps is not None:
            self._lammps.close()
            self._lammps = None

    def __del__(self) -> None:
        """At once, not when the garbage collector comes to LAMMPS's own cycle of references."""
        if getattr(self, "_lammps", None) is not None:
            self.close()

    def compute_new(self, box: Box, inside: FloatArray, types: Sequence[int]) -> None:
        """Compute a structure from nothing: no list and no order of atoms is left of the last one.

        Args:
            box: Its box.
            inside: Positions in LAMMPS's frame and inside of the box, Å, shape (n, 3).
            types: Atom types, from 1 on.

        Raises:
            CalculationError: LAMMPS cannot compute it.
        """
        lmp, n = self._lammps, len(types)
        cell = box.cell
        try:
            lmp.command("delete_atoms group all compress no")
            if box.boundary != self._boundary:
                lmp.command(f"change_box all boundary {box.boundary}")
                self._boundary = box.boundary
            self._set_neighbours(box, n)
            lmp.reset_box(
                [0.0, 0.0, 0.0],
                [float(cell[i, i]) for i in range(3)],
                float(cell[1, 0]),
                float(cell[2, 1]),
                float(cell[2, 0]),
            )
            made = lmp.create_atoms(n, list(range(1, n + 1)), list(types), inside.ravel().tolist())
            lmp.command("reset_timestep 0")  # or the energy of the last structure would still be valid
            lmp.command("run 0 post no")
        except Exception as error:
            raise self._failure(error) from error
        found = int(lmp.extract_setting("nlocal"))
        if made != n or found != n:
            raise CalculationError(
                f"{self.name}: LAMMPS lost {n - min(made, found)} of {n} atoms",
                hint="this is a defect of the plugin: 'mlpzoo check' shows it",
            )
        self._order = np.array(lmp.numpy.extract_atom("id", nelem=n), dtype=np.intp).ravel() - 1
        self._x = lmp.numpy.extract_atom("x", nelem=n)
        self._f = lmp.numpy.extract_atom("f", nelem=n)
        self._reference = np.empty((n, 3))
        self._reference[self._order] = self._x

    def holds_after(self, move: FloatArray) -> bool:
        """Whether the neighbour lists are good for these displacements from the structure of `compute_new`.

        Args:
            move: Å, shape (n, 3).
        """
        largest = float(np.einsum("ij,ij->i", move, move).max(initial=0.0))
        return largest < (0.5 * SAFETY * SKIN_ANG) ** 2

    def compute_moved(self, move: FloatArray) -> None:
        """Compute the structure of the last `compute_new` with displaced atoms and its neighbour lists.

        Args:
            move: Displacements for which `holds_after` is true, Å, shape (n, 3).

        Raises:
            CalculationError: LAMMPS cannot compute it.
        """
        self._x[:] = (self._reference + move)[self._order]
        try:
            self._lammps.command("run 1 pre no post no")  # no integrator is there: nothing moves
        except Exception as error:
            raise self._failure(error) from error

    @property
    def energy_ev(self) -> float:
        """Of the structure, eV."""
        return float(self._lammps.extract_compute("thermo_pe", 0, 0))

    @property
    def forces(self) -> FloatArray:
        """In LAMMPS's frame, eV/Å, shape (n, 3)."""
        result = np.empty((len(self._order), 3))
        result[self._order] = self._f
        return result

    @property
    def pressure(self) -> FloatArray:
        """Of the virial, xx, yy, zz, xy, xz, yz in LAMMPS's frame and of its box, eV/Å³, shape (6,)."""
        values = self._lammps.extract_compute("virial", 0, 1)
        return np.array(values[:6]) * BAR_ANG3_IN_EV

    def _set_neighbours(self, box: Box, n: int) -> None:
        wanted = "nsq" if box.volume > MAX_BINS_PER_ATOM * max(n, 1) else "bin"
        if wanted != self._neighbours:
            self._lammps.command(f"neighbor {SKIN_ANG} {wanted}")
            self._neighbours = wanted

    def _failure(self, error: Exception) -> CalculationError:
        return CalculationError(
            f"{self.name}: LAMMPS: {_message(error)}",
            hint="look at the structure: too dense, or too large?",
        )


def _message(error: Exception) -> str:
    """LAMMPS's message without places in its source and on its web site."""
    text = str(error).strip().strip("'\"")
    for end in (" (src/", "For more information see", "Last input line:"):
        text = text.partition(end)[0]
    return " ".join(text.removeprefix("ERROR on proc 0:").removeprefix("ERROR:").split())
