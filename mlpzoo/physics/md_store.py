"""The state of an MD run on disk: what the next step depends on, and the samples so far.

Samples are kept in files of `CHUNK_FRAMES` each, so that saving costs as much as the samples since the last
full file, not as much as the trajectory. A file of samples is always written before the state that counts
them: whatever a kill leaves behind is a state, and at least its samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpzoo.checkpoint import Checkpoint

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    Sample = tuple[NDArray[np.float64], float, float]

CHUNK_FRAMES = 256
_WORD = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class MDState:
    """Everything that the next MD step depends on.

    Attributes:
        step: Steps done.
        positions: In Å, shape (n_atoms, 3).
        momenta: In ASE's units, shape (n_atoms, 3).
        forces: In eV/Å, as the last step left them, shape (n_atoms, 3).
        generator: State of the random generator (PCG64), six words of 64 bits.
    """

    step: int
    positions: NDArray[np.float64]
    momenta: NDArray[np.float64]
    forces: NDArray[np.float64]
    generator: NDArray[np.uint64]

    @classmethod
    def of(
        cls, step: int, moving: Atoms, forces: NDArray[np.float64], generator: np.random.Generator
    ) -> MDState:
        """The present state of a run."""
        return cls(
            step=step,
            positions=moving.get_positions(),
            momenta=moving.get_momenta(),
            forces=forces,
            generator=generator_words(generator),
        )

    def restore(self, moving: Atoms, generator: np.random.Generator) -> NDArray[np.float64]:
        """Put a run back into this state; gives the forces."""
        moving.set_positions(self.positions)
        moving.set_momenta(self.momenta)
        set_generator(generator, self.generator)
        return self.forces


class MDStore:
    """State and samples of one run; without a checkpoint it stores nothing.

    Args:
        checkpoint: Where; None: nowhere.
    """

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint or Checkpoint()
        self._start: NDArray[np.float64] = np.zeros((0, 3))
        self._n_frames = 0
        self._pending: list[Sample] = []  # of the file that is not full

    def load(self, start_ang: NDArray[np.float64]) -> MDState | None:
        """The state of a run that began with exactly these positions; None if there is none."""
        self._start = start_ang
        found = self._checkpoint.load()
        if found is None or not np.array_equal(found["start"], start_ang):
            return None
        self._n_frames = int(found["n_frames"])
        try:
            whole = self._n_frames // CHUNK_FRAMES
            for number in range(whole):
                self._chunk(number, CHUNK_FRAMES)
            self._pending = self._chunk(whole, self._n_frames % CHUNK_FRAMES)
        except LookupError:  # a file was damaged: begin anew
            self._n_frames, self._pending = 0, []
            return None
        return MDState(
            step=int(found["step"]),
            positions=found["positions"],
            momenta=found["momenta"],
            forces=found["forces"],
            generator=found["generator"],
        )

    def frames(self) -> Iterator[Sample]:
        """Positions, potential and kinetic energies of all samples that were loaded."""
        for number in range(self._n_frames // CHUNK_FRAMES):
            yield from self._chunk(number, CHUNK_FRAMES)
        yield from list(self._pending)

    def add(self, positions_ang: NDArray[np.float64], potential_ev: float, kinetic_ev: float) -> None:
        """Take note of a sample."""
        if self._checkpoint.path is None:
            return
        self._pending.append((positions_ang, potential_ev, kinetic_ev))
        self._n_frames += 1
        if len(self._pending) == CHUNK_FRAMES:
            self._write()
            self._pending = []

    def save(self, state: MDState) -> None:
        """Store the samples since the last full file, and then the state."""
        if self._pending:
            self._write()
        self._checkpoint.save(
            step=state.step,
            positions=state.positions,
            momenta=state.momenta,
            forces=state.forces,
            generator=state.generator,
            start=self._start,
            n_frames=self._n_frames,
        )

    def _file(self, number: int) -> Checkpoint:
        return self._checkpoint.child(f"frames-{number:05d}")

    def _write(self) -> None:
        positions, potential, kinetic = zip(*self._pending, strict=True)
        self._file((self._n_frames - 1) // CHUNK_FRAMES).save(
            positions=np.array(positions), potential=np.array(potential), kinetic=np.array(kinetic)
        )

    def _chunk(self, number: int, n_frames: int) -> list[Sample]:
        """The first samples of a file.

        Raises:
            LookupError: It does not hold so many.
        """
        if n_frames == 0:
            return []
        found: dict[str, NDArray[Any]] | None = self._file(number).load()
        if found is None or len(found["positions"]) < n_frames:
            raise LookupError(number)
        potential, kinetic = found["potential"].tolist(), found["kinetic"].tolist()
        return list(zip(found["positions"], potential, kinetic, strict=True))[:n_frames]


def generator_words(generator: np.random.Generator) -> NDArray[np.uint64]:
    """State of a PCG64 generator as six words of 64 bits."""
    state: Any = generator.bit_generator.state
    numbers = state["state"]["state"], state["state"]["inc"]
    words = [word for number in numbers for word in divmod(number, _WORD)]
    return np.array([*words, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def set_generator(generator: np.random.Generator, words: NDArray[np.uint64]) -> None:
    """Put a PCG64 generator into the state that `generator_words` gave."""
    high, low, high_inc, low_inc, has_uint32, uinteger = (int(word) for word in words)
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high * _WORD + low, "inc": high_inc * _WORD + low_inc},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
