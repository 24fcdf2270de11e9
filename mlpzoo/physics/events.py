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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import find_mic

from mlpzoo.errors import UsageError
from mlpzoo.physics.basins import BASIN_FRACTION, BasinTracker, MeltedError, blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from mlpzoo.physics.sites import SiteSet

__all__ = [
    "BASIN_FRACTION",
    "RESIDENCE_FS",
    "R_CAP_ANG",
    "EventAnalysis",
    "MeltedError",
    "MigrationEvent",
    "distance_to_rare_event",
    "find_events",
]

RESIDENCE_FS = 100.0
R_CAP_ANG = 5.5  # the paper's data set caps r here


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
    """What `find_events` saw.

    Attributes:
        events: Ordered by their start, then by atom.
        n_frames: Frames of the trajectory.
        n_atoms: Atoms of each frame.
        frame_fs: Time between two frames.
        residence_fs: Shortest time that counted as residence.
        drift_ang: Displacement of the crystal since the first frame, shape (n_frames, 3). (Not of the centre
            of mass, which a hop displaces as well.)
    """

    events: tuple[MigrationEvent, ...]
    n_frames: int
    n_atoms: int
    frame_fs: float
    residence_fs: float
    drift_ang: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros((0, 3)), compare=False, repr=False
    )

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
        DataError: no frames, or non-finite positions.
        MeltedError: fewer than half of the atoms in a basin for `residence_fs` or longer (or the sites are
            not those of this trajectory).
    """
    if not frame_fs > 0 or not residence_fs > 0:
        message = f"frame_fs is {frame_fs}, residence_fs is {residence_fs}"
        raise UsageError(message, hint="give positive times in fs")
    tracker = BasinTracker(sites, patience=max(1, round(residence_fs / frame_fs)))
    try:
        for block in blocks(positions_ang, frame_fs=frame_fs):
            tracker.add(block)
        visits = tracker.finish()
    except MeltedError as error:
        error.time_fs = error.frame * frame_fs
        raise
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
        drift_ang=np.concatenate(tracker.drifts),
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
