"""Migration events in a trajectory, and the rare-event (RE) atoms of its frames.

Definitions (after Liu, He, Mo, npj Comput. Mater. 9, 174 (2023), doi 10.1038/s41524-023-01123-3, made exact
here):

- *Basin* of a site: closer to it than 1/4 of its distance to the nearest other site (for lattice sites alone:
  of the nearest-neighbour distance), once the drift of the crystal is removed.
- *Split interstitial* (dumbbell): where interstitial sites are given and no atom is in the basin of a lattice
  site, two atoms share it if it is the nearest lattice site to these two and their distances from it differ
  by less than 1/4 of the nearest-neighbour distance. Both are then in its shared basin, which is apart from
  its own. When a dumbbell moves on, the atom that it hands over migrates; those that relax about their own
  lattice site do not.
- *Residence*: an atom enters a basin and its last visit to it comes at least `residence_fs` later. An atom
  that is back within `residence_fs` had not left, whatever basins it touched meanwhile (so fast re-crossings
  are one event).
- *Event*: two successive residences of an atom at different sites. Its window runs from the last frame in
  the old basin to the first frame in the new one, both included. Before its first residence an atom has no
  event.
- *RE atom* of a frame: an atom inside one of its windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import find_mic

from mlpzoo.errors import DataError, UsageError
from mlpzoo.physics.sites import SiteFinder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from mlpzoo.physics.sites import SiteSet

BASIN_FRACTION = 0.25  # of the distance to the nearest other site
RESIDENCE_FS = 100.0
R_CAP_ANG = 5.5  # the paper's data set caps r here
BLOCK_FRAMES = 512  # bounds the memory: a block of 64 atoms and its temporaries take about 5 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationEvent:
    """One atom's change of site.

    Attributes:
        atom: Index of the atom.
        site_from: Index of the old site in the `SiteSet`.
        site_to: Index of the new site.
        start_frame: Last frame in the old basin.
        end_frame: First frame in the new basin.
    """

    atom: int
    site_from: int
    site_to: int
    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAnalysis:
    """What `find_events` saw; the events are ordered by their start, then by atom."""

    events: tuple[MigrationEvent, ...]
    n_frames: int
    n_atoms: int
    frame_fs: float
    residence_fs: float

    def mask(self, frames: ArrayLike) -> NDArray[np.bool_]:
        """RE atoms of the given frames, shape (n_given_frames, n_atoms)."""
        wanted = np.atleast_1d(np.asarray(frames, dtype=np.int64))
        mask = np.zeros((len(wanted), self.n_atoms), dtype=bool)
        for event in self.events:
            mask[(wanted >= event.start_frame) & (wanted <= event.end_frame), event.atom] = True
        return mask

    def concerted(self) -> tuple[tuple[MigrationEvent, ...], ...]:
        """Group the events whose windows overlap in time: a hop, or a chain that several atoms make."""
        groups: list[list[MigrationEvent]] = []
        last = -1
        for event in self.events:
            if event.start_frame > last:
                groups.append([])
            groups[-1].append(event)
            last = max(last, event.end_frame)
        return tuple(tuple(group) for group in groups)


def find_events(
    positions_ang: Iterable[ArrayLike],
    sites: SiteSet,
    *,
    frame_fs: float,
    residence_fs: float = RESIDENCE_FS,
) -> EventAnalysis:
    """Find all migration events of a trajectory.

    The time is linear in the frames; the memory holds one block and the visits to basins.

    Args:
        positions_ang: Positions in time order: one array of shape (n_frames, n_atoms, 3), or an iterable of
            such arrays (chunks of any length), or of single frames (n_atoms, 3). The first frame has to be
            registered with the sites to within the basin radius; later drift of the whole crystal is removed.
            Wrapped or unwrapped does not matter.
        sites: The lattice (and interstitial) sites.
        frame_fs: Time between two frames.
        residence_fs: Shortest time that counts as residence at a site.

    Raises:
        UsageError: a time that is not positive.
        DataError: no frames, non-finite positions, or fewer than half of the atoms in a basin (melted, or the
            sites are not those of this trajectory).
    """
    if not frame_fs > 0 or not residence_fs > 0:
        message = f"frame_fs is {frame_fs}, residence_fs is {residence_fs}"
        raise UsageError(message, hint="give positive times in fs")
    tracker = _Tracker(sites)
    for block in _blocks(positions_ang):
        tracker.add(block)
    if not tracker.visits:
        message = "the trajectory holds no frame"
        raise DataError(message, hint="pass positions of shape (n_frames, n_atoms, 3)")
    visits = np.concatenate(tracker.visits)
    visits = visits[np.lexsort((visits[:, 2], visits[:, 0]))]
    atoms, starts = np.unique(visits[:, 0], return_index=True)
    events = [
        event
        for atom, own in zip(atoms.tolist(), np.split(visits, starts[1:]), strict=True)
        for event in _events_of_atom(
            atom, own[:, 1:].tolist(), residence_fs / frame_fs, len(sites.positions_ang)
        )
    ]
    events.sort(key=lambda event: (event.start_frame, event.atom))
    return EventAnalysis(
        events=tuple(events),
        n_frames=tracker.n_frames,
        n_atoms=tracker.n_atoms,
        frame_fs=frame_fs,
        residence_fs=residence_fs,
    )


def distance_to_rare_event(
    positions_ang: ArrayLike, cell_ang: ArrayLike, mask: ArrayLike, *, cap_ang: float = R_CAP_ANG
) -> NDArray[np.float64]:
    """Minimum-image distance of each atom to the nearest RE atom, shape (n_atoms,).

    It is 0 for RE atoms, and at most `cap_ang`.
    """
    positions = np.asarray(positions_ang, dtype=float)
    rare = np.asarray(mask, dtype=bool)
    if not rare.any():
        return np.full(len(positions), cap_ang)
    vectors = positions[:, None, :] - positions[rare][None, :, :]
    _, lengths = find_mic(vectors.reshape(-1, 3), np.asarray(cell_ang, dtype=float), pbc=True)
    distances = np.minimum(lengths.reshape(len(positions), -1).min(axis=1), cap_ang)
    distances[rare] = 0.0
    return np.asarray(distances, dtype=np.float64)


class _Tracker:
    """Turns blocks of positions into visits: rows of (atom, site, first frame in the basin, last one)."""

    def __init__(self, sites: SiteSet) -> None:
        self.sites = sites
        self.finder = SiteFinder(sites.positions_ang, sites.cell_ang)
        self.lattice = SiteFinder(sites.positions_ang[: sites.n_lattice], sites.cell_ang)
        self.basin2 = (2 * BASIN_FRACTION * self.finder.safe_radius_ang) ** 2  # by site
        self.shares = len(sites.positions_ang) > sites.n_lattice
        self.visits: list[NDArray[np.int64]] = []
        self.n_frames = 0
        self.n_atoms = 0
        self._site: NDArray[np.int64] | None = None
        self._last = np.zeros((0, 3))  # positions of the last frame
        self._drift = np.zeros(3)  # of the crystal, in the last frame

    def add(self, block: NDArray[np.float64]) -> None:
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
        if in_basin.mean(axis=1).min() < 0.5:  # noqa: PLR2004
            frame = self.n_frames + int(in_basin.mean(axis=1).argmin())
            message = f"in frame {frame} fewer than half of the atoms are near a site"
            raise DataError(
                message, hint="the crystal melted, or the sites have another lattice constant or origin"
            )
        label = np.where(in_basin, site, -1)
        if self.shares:
            self._share(label, site, vectors, in_basin)
        self.visits.append(_visits(label, self.n_frames))
        self._site = site[-1]
        self.n_frames += len(block)

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
        self._drift = drift[-1] + residual[-1]
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


def _events_of_atom(
    atom: int, visits: Sequence[Sequence[int]], residence_frames: float, n_sites: int
) -> Iterator[MigrationEvent]:
    """Events from one atom's visits (site, first, last) in time order.

    A site that two atoms share has the number `n_sites` + its own.
    """
    old: tuple[int, int] | None = None  # site of the last residence, and the last frame in its basin
    position = 0
    while position < len(visits):
        site, first, last = visits[position]
        position += 1
        ahead = position
        while ahead < len(visits) and (ahead == position or visits[ahead][1] - last < residence_frames):
            if visits[ahead][0] == site:
                last = visits[ahead][2]
                position = ahead + 1
            ahead += 1
        if last - first >= residence_frames:
            if old is not None and old[0] % n_sites != site % n_sites:
                yield MigrationEvent(
                    atom=atom,
                    site_from=old[0] % n_sites,
                    site_to=site % n_sites,
                    start_frame=old[1],
                    end_frame=first,
                )
            old = (site, last)
        elif old is not None and old[0] == site:  # a late, short visit to the old basin
            old = (site, last)


def _blocks(chunks: Iterable[ArrayLike]) -> Iterator[NDArray[np.float64]]:
    """Blocks of at most `BLOCK_FRAMES` frames, independent of how the input was cut."""
    pending: list[NDArray[np.float64]] = []
    held = 0
    for chunk in [chunks] if isinstance(chunks, np.ndarray) else chunks:
        frames = np.asarray(chunk, dtype=float)
        frames = frames[None] if frames.ndim == 2 else frames  # noqa: PLR2004 (a single frame)
        if frames.ndim != 3 or frames.shape[2] != 3:  # noqa: PLR2004
            message = f"positions have shape {frames.shape}"
            raise DataError(message, hint="pass positions of shape (n_frames, n_atoms, 3)")
        while len(frames):
            taken, frames = frames[: BLOCK_FRAMES - held], frames[BLOCK_FRAMES - held :]
            pending.append(taken)
            held += len(taken)
            if held == BLOCK_FRAMES:
                yield np.concatenate(pending)
                pending, held = [], 0
    if pending:
        yield np.concatenate(pending)
