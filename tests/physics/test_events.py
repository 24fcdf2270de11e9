"""Migration events of hand-made trajectories, whose windows are known in closed form.

A hop takes 40 frames on a straight line, at the fractions (k + 1/2) / 40. With basins of a quarter of the
distance, its last frame in the old basin is k = 9 (0.2375) and its first in the new one k = 30 (0.7625).
"""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from mlpzoo.errors import DataError, UsageError
from mlpzoo.physics.basins import BasinTracker
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.events import distance_to_rare_event, find_events
from mlpzoo.physics.sites import SiteFinder, SiteSet

A = 5.43
SILICON = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=A)
HOST = SILICON.supercell(2)
CELL = HOST.cell.array
LATTICE = HOST.get_positions()
SITES = SILICON.sites(2, interstitials=False)
ALL_SITES = SILICON.sites(2, interstitials=True)
FRAME_FS = 4.0
FRACTIONS = (np.arange(40) + 0.5) / 40
LAST_IN_OLD, FIRST_IN_NEW = 9, 30


def image(to: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The periodic image of `to` that is nearest to `near`."""
    step = to - near
    return near + step - np.rint(step @ np.linalg.inv(CELL)) @ CELL


def neighbour(site: int, direction: int = 0) -> int:
    """One of the four nearest lattice sites of a lattice site."""
    step = LATTICE - LATTICE[site]
    step -= np.rint(step @ np.linalg.inv(CELL)) @ CELL
    return int(np.argsort(np.linalg.norm(step, axis=1))[1 + direction])


def path(*stops: tuple[int, np.ndarray]) -> np.ndarray:
    """Positions of one atom: `n` frames at each stop, and a hop of 40 frames to the next (nearest image)."""
    pieces = []
    here = stops[0][1]
    for n, stop in stops:
        there = image(stop, here)
        if not np.allclose(there, here):
            pieces.append(here + FRACTIONS[:, None] * (there - here))
        here = there
        pieces.append(np.repeat(here[None], n, axis=0))
    return np.concatenate(pieces)


def vacancy_cell(missing: int, moving: dict[int, np.ndarray]) -> np.ndarray:
    """A trajectory without the atom of site `missing`; `moving` maps sites to their atoms' paths."""
    n_frames = len(next(iter(moving.values()))) if moving else 300
    whole = np.repeat(LATTICE[None], n_frames, axis=0)
    for site, positions in moving.items():
        whole[:, site] = positions
    return np.delete(whole, missing, axis=1)


def vibrating(positions: np.ndarray, amplitude_ang: float = 0.08) -> np.ndarray:
    """The same with thermal noise."""
    return positions + np.random.default_rng(0).normal(0, amplitude_ang, positions.shape)


def windows(analysis: object) -> list[tuple[int, int, int, int, int]]:
    """Events as plain tuples."""
    return [(e.atom, e.site_from, e.site_to, e.start_frame, e.end_frame) for e in analysis.events]  # type: ignore[attr-defined]


def hop(site: int = 0, start: int = 100, source: int | None = None) -> np.ndarray:
    """The atom of a neighbour goes to the vacancy at `site`."""
    source = neighbour(site) if source is None else source
    return vacancy_cell(site, {source: path((start, LATTICE[source]), (100, LATTICE[site]))})


def test_one_hop_has_the_window_of_the_closed_form() -> None:
    source = neighbour(0)
    found = windows(find_events(hop(), SITES, frame_fs=FRAME_FS))
    assert found == [(source - 1, source, 0, 100 + LAST_IN_OLD, 100 + FIRST_IN_NEW)]


def test_hop_across_the_border_is_found_wrapped_and_unwrapped() -> None:
    source = next(n for n in (neighbour(0, k) for k in range(4)) if LATTICE[n].max() > A)
    unwrapped = hop(source=source) - 1e-9  # the vacancy is at the origin: its side of the border is decided
    wrapped = ((unwrapped @ np.linalg.inv(CELL)) % 1.0) @ CELL
    assert np.abs(unwrapped - wrapped).max() > A  # the hop does cross the border
    expected = [(source - 1, source, 0, 109, 130)]
    assert windows(find_events(unwrapped, SITES, frame_fs=FRAME_FS)) == expected
    np.testing.assert_allclose(SiteFinder(LATTICE, CELL).nearest(wrapped[-1])[1], 0, atol=1e-8)
    assert windows(find_events(wrapped, SITES, frame_fs=FRAME_FS)) == expected


def test_no_event_in_a_vibrating_crystal() -> None:
    analysis = find_events(vibrating(vacancy_cell(0, {}), 0.15), SITES, frame_fs=FRAME_FS)
    assert analysis.events == ()
    assert not analysis.mask(np.arange(analysis.n_frames)).any()
    assert analysis.concerted() == ()


def test_fast_recrossing_is_one_event_with_the_last_crossing_as_window() -> None:
    source = neighbour(0)
    there, back = LATTICE[0], LATTICE[source]
    positions = vacancy_cell(0, {source: path((100, back), (2, there), (2, back), (100, there))})
    found = windows(find_events(positions, SITES, frame_fs=1.0))
    start = 100 + 40 + 2 + 40 + 2
    assert found == [(source - 1, source, 0, start + LAST_IN_OLD, start + FIRST_IN_NEW)]


def test_slow_return_is_two_events() -> None:
    source = neighbour(0)
    positions = vacancy_cell(
        0, {source: path((100, LATTICE[source]), (50, LATTICE[0]), (100, LATTICE[source]))}
    )
    found = windows(find_events(positions, SITES, frame_fs=FRAME_FS))
    assert [(site_from, site_to) for _, site_from, site_to, _, _ in found] == [(source, 0), (0, source)]


def test_excursion_without_hop_is_no_event() -> None:
    source = neighbour(0)
    half = 0.5 * (LATTICE[source] + image(LATTICE[0], LATTICE[source]))
    positions = vacancy_cell(0, {source: path((100, LATTICE[source]), (100, half), (100, LATTICE[source]))})
    assert find_events(positions, SITES, frame_fs=FRAME_FS).events == ()


@pytest.mark.parametrize(("residence_fs", "n_events"), [(100.0, 1), (400.0, 0)])
def test_a_residence_shorter_than_asked_for_does_not_count(residence_fs: float, n_events: int) -> None:
    source = neighbour(0)
    # After the hop 9 frames of approach inside the basin and 60 at rest: 69 frames, 68 intervals of 4 fs.
    positions = vacancy_cell(0, {source: path((100, LATTICE[source]), (60, LATTICE[0]))})
    assert len(find_events(positions, SITES, frame_fs=FRAME_FS, residence_fs=residence_fs).events) == n_events


def test_passing_through_a_site_is_one_long_hop() -> None:
    first = neighbour(0)
    second = next(n for n in (neighbour(first, k) for k in range(4)) if n != 0)
    moving = path((100, LATTICE[second]), (1, LATTICE[first]), (100, LATTICE[0]))
    whole = np.delete(np.repeat(LATTICE[None], len(moving), axis=0), [0, first], axis=1)
    whole[:, [i for i in range(64) if i not in {0, first}].index(second)] = moving
    found = windows(find_events(whole, SITES, frame_fs=1.0))
    assert [(f, t, s, e) for _, f, t, s, e in found] == [(second, 0, 109, 100 + 40 + 1 + FIRST_IN_NEW)]


def test_two_concerted_atoms_are_both_rare_and_one_group() -> None:
    first = neighbour(0)
    second = next(n for n in (neighbour(first, k) for k in range(4)) if n != 0)
    moving = {
        first: path((100, LATTICE[first]), (120, LATTICE[0])),
        second: path((110, LATTICE[second]), (110, LATTICE[first])),
    }
    analysis = find_events(vacancy_cell(0, moving), SITES, frame_fs=FRAME_FS)
    expected = sorted(
        [(first - 1, first, 0, 109, 130), (second - 1, second, first, 119, 140)], key=lambda e: e[3]
    )
    assert windows(analysis) == expected
    assert len(analysis.concerted()) == 1
    mask = analysis.mask([108, 109, 118, 119, 130, 131, 140, 141])
    assert mask.sum(axis=1).tolist() == [0, 1, 1, 2, 2, 1, 1, 0]


@pytest.mark.parametrize("drift_ang", [3.0, 11.0])
def test_drift_of_the_whole_crystal_changes_nothing(drift_ang: float) -> None:
    positions = vibrating(hop(start=600))
    drift = np.linspace(0, drift_ang, len(positions))[:, None, None] * np.array([1.0, -0.5, 0.3])
    still = find_events(positions, SITES, frame_fs=FRAME_FS)
    assert len(still.events) == 1
    assert find_events(positions + drift, SITES, frame_fs=FRAME_FS) == still
    wrapped = (((positions + drift) @ np.linalg.inv(CELL)) % 1.0) @ CELL
    assert find_events(wrapped, SITES, frame_fs=FRAME_FS) == still


def test_hops_in_one_direction_do_not_carry_the_crystal_along() -> None:
    """Six hops along a row move the centre of mass by 0.5 Å; the others stay in their basins (0.64 Å)."""
    crystal = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6)
    sites = crystal.sites(2, interstitials=False)
    step = np.array([1.8, 1.8, 0.0])
    positions, vacancy = sites.positions_ang[1:].copy(), sites.positions_ang[0]
    quiet = int(np.argmax(positions[:, 2]))  # of another row
    positions[quiet] += [0.25, 0.25, 0.0]  # against the false drift
    frames = [positions.copy()]
    for _ in range(6):
        away = positions - (vacancy + step)
        away -= np.rint(away / 7.2) * 7.2
        jumper = int(np.argmin(np.linalg.norm(away, axis=1)))
        positions[jumper] -= step
        vacancy = vacancy + step
        frames += [positions.copy()] * 5
    tracker = BasinTracker(sites)
    tracker.add(np.array(frames))
    visits = tracker.finish()
    assert len(visits) == 31 + 6, "each hop ends a visit and begins one"
    assert visits[visits[:, 0] == quiet][:, 2:].tolist() == [[0, len(frames) - 1]]
    assert np.abs(np.concatenate(tracker.drifts)).max() < 0.03, "that of one atom that is 0.35 Å off, of 31"


def test_chunks_of_any_length_give_the_whole() -> None:
    positions = vibrating(hop(start=600))
    whole = find_events(positions, SITES, frame_fs=FRAME_FS)
    assert find_events(iter(np.array_split(positions, 7)), SITES, frame_fs=FRAME_FS) == whole
    assert find_events(iter(positions), SITES, frame_fs=FRAME_FS) == whole


def test_start_outside_all_basins_is_no_event() -> None:
    start = LATTICE[8] + 0.4 * (image(LATTICE[neighbour(8)], LATTICE[8]) - LATTICE[8])
    positions = np.repeat(LATTICE[None], 200, axis=0)
    positions[:40, 8] = start
    assert find_events(np.delete(positions, neighbour(8), axis=1), SITES, frame_fs=FRAME_FS).events == ()


def test_interstitial_goes_from_one_tetrahedral_site_to_the_next() -> None:
    kinds = np.array(ALL_SITES.kinds)
    tetrahedral = np.flatnonzero(kinds == "tetrahedral")
    origin = tetrahedral[0]
    steps = ALL_SITES.positions_ang[tetrahedral] - ALL_SITES.positions_ang[origin]
    lengths = np.linalg.norm(steps - np.rint(steps / (2 * A)) * 2 * A, axis=1)
    target = tetrahedral[np.argsort(lengths)[1]]
    assert lengths.min() == 0
    assert np.sort(lengths)[1] == pytest.approx(np.sqrt(3) / 4 * A)
    moving = path((100, ALL_SITES.positions_ang[origin]), (100, ALL_SITES.positions_ang[target]))
    positions = np.concatenate([np.repeat(LATTICE[None], len(moving), axis=0), moving[:, None]], axis=1)
    (event,) = find_events(positions, ALL_SITES, frame_fs=FRAME_FS).events
    assert (event.atom, event.site_from, event.site_to) == (64, origin, target)
    # Basin of a tetrahedral site: 1/4 of its distance to a hexagonal one, which is half of the hop.
    assert (event.start_frame, event.end_frame) == (100 + 4, 100 + 35)


def test_dumbbell_hands_one_atom_over() -> None:
    """A split interstitial goes to the neighbouring site: the atom that both share migrates, no other."""
    here, there = 8, neighbour(8)
    toward = image(LATTICE[there], LATTICE[here]) - LATTICE[here]
    axis = np.cross(toward, [0.3, 1.0, -0.2])
    axis *= 1.2 / np.linalg.norm(axis)
    frames = 240
    ramp = np.concatenate([np.zeros(100), FRACTIONS, np.ones(100)])[:, None]
    base = LATTICE[here]
    partner = base - (1 - ramp) * axis  # falls back to its own site
    shared = base + axis + ramp * toward
    pushed = base + toward - ramp * axis
    positions = np.repeat(LATTICE[None], frames, axis=0)
    positions[:, here], positions[:, there] = partner, pushed
    positions = np.concatenate([positions, shared[:, None]], axis=1)
    (event,) = find_events(positions, ALL_SITES, frame_fs=FRAME_FS).events
    assert (event.atom, event.site_from, event.site_to) == (64, here, there)
    assert 100 <= event.start_frame < event.end_frame <= 140


def test_kick_out_moves_two_atoms() -> None:
    """An interstitial takes a lattice site and pushes its atom to the tetrahedral site on the other side."""
    tetrahedral = ALL_SITES.positions_ang[np.array(ALL_SITES.kinds) == "tetrahedral"]
    site = 8
    steps = tetrahedral - LATTICE[site]
    steps -= np.rint(steps / (2 * A)) * 2 * A
    first, second = steps[np.argsort(np.linalg.norm(steps, axis=1))[:2]]
    positions = np.repeat(LATTICE[None], 240, axis=0)
    positions[:, site] = path((100, LATTICE[site]), (100, LATTICE[site] + second))
    extra = path((100, LATTICE[site] + first), (100, LATTICE[site]))
    analysis = find_events(np.concatenate([positions, extra[:, None]], axis=1), ALL_SITES, frame_fs=FRAME_FS)
    # In the middle both are as far from the site: a dumbbell of a few frames, no residence. Basins of a
    # lattice site and of a tetrahedral one: 1/4 of their distances to a hexagonal one.
    (two, one) = analysis.events
    assert (one.atom, two.atom) == (site, 64)
    to_lattice, to_tetrahedral = np.sqrt(11) / 8 / 4 / (np.sqrt(3) / 4), 1 / 8
    leaves_lattice = int(np.flatnonzero(to_lattice > FRACTIONS)[-1])
    leaves_tetrahedral = int(np.flatnonzero(to_tetrahedral > FRACTIONS)[-1])
    assert (one.start_frame, one.end_frame) == (100 + leaves_lattice, 139 - leaves_tetrahedral)
    assert (two.start_frame, two.end_frame) == (100 + leaves_tetrahedral, 139 - leaves_lattice)
    assert len(analysis.concerted()) == 1


def test_r_is_the_minimum_image_distance_zero_on_rare_atoms_and_capped() -> None:
    cell = np.diag([20.0, 20.0, 20.0])
    positions = np.array([[1.0, 0, 0], [19.0, 0, 0], [4.0, 0, 0], [1.0, 10.0, 0]])
    r = distance_to_rare_event(positions, cell, [True, False, False, False])
    np.testing.assert_allclose(r, [0.0, 2.0, 3.0, 5.5], atol=1e-12)
    assert r[0] == 0.0
    assert distance_to_rare_event(positions, cell, [False] * 4).tolist() == [5.5] * 4


def test_triclinic_cells_find_the_nearest_site_too() -> None:
    primitive = bulk("Si", "diamond", a=A).repeat(4)
    sites = SiteSet.from_lattice(primitive)
    assert sites.neighbour_distance_ang == pytest.approx(np.sqrt(3) / 4 * A)
    generator = np.random.default_rng(1)
    chosen = generator.integers(len(primitive), size=500)
    noise = generator.uniform(-0.5, 0.5, (500, 3))
    shifts = generator.integers(-2, 3, (500, 3)) @ sites.cell_ang
    nearest, vectors = SiteFinder(sites.positions_ang, sites.cell_ang).nearest(
        sites.positions_ang[chosen] + noise + shifts
    )
    np.testing.assert_array_equal(nearest, chosen)
    np.testing.assert_allclose(vectors, noise, atol=1e-9)


def test_interstitial_sites_have_the_distances_of_diamond() -> None:
    kinds = np.array(ALL_SITES.kinds)
    assert {kind: int((kinds == kind).sum()) for kind in set(kinds)} == {
        "lattice": 64,
        "tetrahedral": 64,
        "hexagonal": 128,
    }
    finder = SiteFinder(LATTICE, CELL)
    for kind, distance in (("tetrahedral", np.sqrt(3) / 4 * A), ("hexagonal", np.sqrt(11) / 8 * A)):
        _, vectors = finder.nearest(ALL_SITES.positions_ang[kinds == kind])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), distance)


def test_wrong_input_is_refused_with_a_hint() -> None:
    with pytest.raises(DataError, match="fewer than half"):
        find_events(vacancy_cell(0, {}) * 1.1 + 0.9, SITES, frame_fs=FRAME_FS)
    with pytest.raises(DataError, match="not all finite"):
        find_events(np.full((3, 63, 3), np.nan), SITES, frame_fs=FRAME_FS)
    with pytest.raises(DataError, match="no frame"):
        find_events(iter([]), SITES, frame_fs=FRAME_FS)
    with pytest.raises(UsageError, match="frame_fs"):
        find_events(hop(), SITES, frame_fs=0.0)
    with pytest.raises(DataError, match="coincide"):
        SiteSet.from_lattice(HOST, tetrahedral=LATTICE[:1])
