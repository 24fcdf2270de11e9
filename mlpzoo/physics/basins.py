"""Which atom is in the basin of which site, frame after frame; `mlpzoo.physics.events` defines the basins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.errors import DataError
from mlpzoo.physics.sites import SiteFinder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from mlpzoo.physics.sites import SiteSet

BASIN_FRACTION = 0.25  # of the distance to the nearest other site
MELTED_FRACTION = 0.5  # of the atoms in a basin: a crystal that has fewer is none
BLOCK_FRAMES = 512  # bounds the memory: a block of 64 atoms and its temporaries take about 5 MB
BLOCK_FS = 2048.0  # and the time, in which most atoms must stay where they were when it began


class MeltedError(DataError):
    """A trajectory in which fewer than half of the atoms are near a site, and stay so.

    Args:
        message: When.
        hint: What to try next.
        frame: The first of these frames.
        time_fs: Its time; 0 if that is not known.
    """

    def __init__(self, message: str, *, hint: str = "", frame: int = 0, time_fs: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.frame = frame
        self.time_fs = time_fs


class BasinTracker:
    """Turns blocks of positions into visits: rows of (atom, site, first frame in the basin, last one).

    Args:
        sites: The lattice (and interstitial) sites.
        patience: Successive frames with too few atoms in basins that make a melted crystal.

    Attributes:
        visits: Shape (n, 4) for each block. A site that two atoms share counts as the number of sites + its
            own index.
        drifts: Displacement in Å of the crystal since the first frame, shape (n_frames, 3) for each block.
        n_frames: Frames so far.
        n_atoms: Atoms of each.
    """

    def __init__(self, sites: SiteSet, *, patience: int = 1) -> None:
        self.sites = sites
        self.finder = SiteFinder(sites.positions_ang, sites.cell_ang)
        self.lattice = SiteFinder(sites.positions_ang[: sites.n_lattice], sites.cell_ang)
        self.basin2 = (2 * BASIN_FRACTION * self.finder.safe_radius_ang) ** 2  # by site
        self.shares = len(sites.positions_ang) > sites.n_lattice
        self.visits: list[NDArray[np.int64]] = []
        self.drifts: list[NDArray[np.float64]] = []
        self.n_frames = 0
        self.n_atoms = 0
        self._patience = patience
        self._bad_frames = 0  # successive ones, up to the last frame
        self._site: NDArray[np.int64] | None = None
        self._last = np.zeros((0, 3))  # positions of the last frame
        self._drift = np.zeros(3)  # of the crystal, in the last frame

    def add(self, block: NDArray[np.float64]) -> None:
        """Follow the atoms through the next frames, shape (n, n_atoms, 3).

        Raises:
            DataError: Positions are not finite.
            MeltedError: For so many frames as the tracker has patience, fewer than half of the atoms were in
                a basin.
        """
        if not np.isfinite(block).all():
            message = (
                f"positions of frames {self.n_frames} to {self.n_frames + len(block) - 1} are not all finite"
            )
            raise DataError(message, hint="cut the trajectory before it exploded")
        if self._site is None:
            self.n_atoms = block.shape[1]
            self._site = self.finder.nearest(block[0])[0]
            self._last = block[0]
        site, vectors, squares = self._assign(block, self._site)
        in_basin = squares < self.basin2[site]
        self._check_order(in_basin.mean(axis=1))
        label = np.where(in_basin, site, -1)
        if self.shares:
            self._share(label, site, vectors, in_basin)
        self.visits.append(_visits(label, self.n_frames))
        self._site = site[-1]
        self.n_frames += len(block)

    def finish(self) -> NDArray[np.int64]:
        """All visits in order of atoms and time, shape (n, 4).

        Raises:
            DataError: There was no frame.
            MeltedError: In none of the frames, few as they are, enough atoms were in a basin.
        """
        if not self.visits:
            message = "the trajectory holds no frame"
            raise DataError(message, hint="pass positions of shape (n_frames, n_atoms, 3)")
        if self._bad_frames == self.n_frames:
            raise _melted(0)
        visits = np.concatenate(self.visits)
        return visits[np.lexsort((visits[:, 2], visits[:, 0]))]

    def _check_order(self, in_basin: NDArray[np.float64]) -> None:
        """Count the successive frames, across blocks, in which too few atoms are in a basin."""
        for index, fraction in enumerate(in_basin):
            self._bad_frames = self._bad_frames + 1 if fraction < MELTED_FRACTION else 0
            if self._bad_frames >= self._patience:
                raise _melted(self.n_frames + index - self._bad_frames + 1)

    def _assign(
        self, block: NDArray[np.float64], last_site: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Nearest sites (n, n_atoms), vectors from them and their squares, with the crystal's drift removed.

        The drift is first guessed by the mean step of the atoms, which hops change as well, and then set so
        that the atoms near the lattice sites are on them in the mean.
        """
        steps = np.diff(block, axis=0, prepend=self._last[None])
        steps -= np.rint(steps @ self.finder.inverse) @ self.sites.cell_ang
        drift = self._drift + np.cumsum(steps.mean(axis=1), axis=0)
        guess = block - drift[:, None, :]
        vectors, squares = self.finder.displacements(guess, last_site)
        settled = (squares < self.basin2[last_site]) & (last_site < self.sites.n_lattice)
        weight = settled / np.maximum(settled.sum(axis=1), 1)[:, None]
        residual = np.einsum("fa,fak->fk", weight, vectors)
        vectors -= residual[:, None, :]
        squares = np.einsum("...k,...k->...", vectors, vectors)
        site = np.broadcast_to(last_site, squares.shape).copy()
        moved = squares >= self.finder.safe_radius_ang[last_site] ** 2
        if moved.any():
            drifted = (guess - residual[:, None, :])[moved]
            site[moved], vectors[moved] = self.finder.nearest(drifted)
            squares[moved] = np.einsum("...k,...k->...", vectors[moved], vectors[moved])
        self.drifts.append(drift + residual)
        self._drift = self.drifts[-1][-1]
        self._last = block[-1]
        return site, vectors, squares

    def _share(
        self,
        label: NDArray[np.int64],
        site: NDArray[np.int64],
        vectors: NDArray[np.float64],
        in_basin: NDArray[np.bool_],
    ) -> None:
        """Write the shared sites of split interstitials into `label`, as site + number of sites."""
        n_lattice = self.sites.n_lattice
        home = in_basin & (site < n_lattice)
        occupied = np.zeros((len(label), n_lattice), dtype=bool)
        frame, atom = np.nonzero(home)
        occupied[frame, site[frame, atom]] = True
        frame, atom = np.nonzero(~home)
        away = self.sites.positions_ang[site[frame, atom]] + vectors[frame, atom]
        nearest, offsets = self.lattice.nearest(away)
        distance = np.linalg.norm(offsets, axis=1)
        claim = frame * n_lattice + nearest
        order = np.argsort(claim, kind="stable")
        _, begins, counts = np.unique(claim[order], return_index=True, return_counts=True)
        first = order[begins[counts == 2]]  # noqa: PLR2004
        second = order[begins[counts == 2] + 1]  # noqa: PLR2004
        even = np.abs(distance[first] - distance[second]) < BASIN_FRACTION * self.sites.neighbour_distance_ang
        even &= ~occupied[frame[first], nearest[first]]
        for member in (first[even], second[even]):
            label[frame[member], atom[member]] = nearest[member] + len(self.sites.positions_ang)


def _visits(label: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
    """Compress labels (n_frames, n_atoms; -1: no basin) to runs: rows of (atom, site, first, last frame)."""
    atom, frame = np.nonzero(label.T >= 0)
    site = label[frame, atom]
    begins = np.flatnonzero(np.diff(atom, prepend=-1).astype(bool) | np.diff(site, prepend=-1).astype(bool))
    ends = np.append(begins[1:], len(atom)) - 1
    return np.stack([atom[begins], site[begins], frame[begins] + offset, frame[ends] + offset], axis=1)


def _melted(frame: int) -> MeltedError:
    return MeltedError(
        f"from frame {frame} on fewer than half of the atoms are near a site",
        hint="the crystal melted, or the sites have another lattice constant or origin",
        frame=frame,
    )


def blocks(chunks: Iterable[ArrayLike], *, frame_fs: float) -> Iterator[NDArray[np.float64]]:
    """Blocks of at most `BLOCK_FRAMES` frames and `BLOCK_FS`, independent of how the input was cut.

    Raises:
        DataError: An array has another shape.
    """
    longest = max(1, min(BLOCK_FRAMES, int(BLOCK_FS / frame_fs)))
    pending: list[NDArray[np.float64]] = []
    held = 0
    for chunk in [chunks] if isinstance(chunks, np.ndarray) else chunks:
        frames = np.asarray(chunk, dtype=float)
        frames = frames[None] if frames.ndim == 2 else frames  # noqa: PLR2004 (a single frame)
        if frames.ndim != 3 or frames.shape[2] != 3:  # noqa: PLR2004
            message = f"positions have shape {frames.shape}"
            raise DataError(message, hint="pass positions of shape (n_frames, n_atoms, 3)")
        while len(frames):
            taken, frames = frames[: longest - held], frames[longest - held :]
            pending.append(taken)
            held += len(taken)
            if held == longest:
                yield np.concatenate(pending)
                pending, held = [], 0
    if pending:
        yield np.concatenate(pending)
