"""Structures for training sets, as a plan says: strained, hot, defective, half-way along a hop, molten.

A model decides where MD goes and how atoms relax; what the structures are labelled with is the DFT's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atom
from ase.constraints import FixAtoms
from ase.geometry import find_mic
from ase.optimize import FIRE

from mlpzoo.data.selecting import farthest, soap
from mlpzoo.errors import DataError
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.md import langevin

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from mlpzoo.checkpoint import Checkpoint
    from mlpzoo.data.plan import Defect, Sample
    from mlpzoo.physics.evaluate import Progress

CLOSEST = 0.7
"""Structures with two atoms closer than that, in neighbour distances, are drawn again: no crystal that is
hot or strained has them."""
RELAXED_EV_PER_ANG = 0.3
EQUILIBRATION = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A structure, and where in its trajectory it is (0, 0 if it has none)."""

    atoms: Atoms
    time_fs: float = 0.0
    temperature_kelvin: float = 0.0


def defective(crystal: Crystal, repeat: tuple[int, int, int], defect: Defect) -> Atoms:
    """A supercell as it is, less its first atom, or with one more at an interstitial site."""
    atoms: Atoms = crystal.cubic().repeat(repeat)
    if defect == "vacancy":
        del atoms[0]
    elif defect == "interstitial":
        kind = "tetrahedral" if crystal.structure == "diamond" else "octahedral"
        sites = crystal.interstitial_sites(1)[kind]
        distances = np.linalg.norm(sites - crystal.lattice_constant_ang / 2, axis=1)
        atoms.append(Atom(crystal.symbol, sites[int(np.argmin(distances))]))
    return atoms


def strained(crystal: Crystal, sample: Sample) -> list[Made]:
    """The crystal under random symmetric strains, every atom displaced at random.

    Half of the strains are of volume alone (uniform within ``max_strain``), half have six components, each
    uniform within it: elastic constants need shears, and equations of state large volume changes.
    """
    generator = np.random.default_rng(sample.seed)
    host = defective(crystal, sample.repeat, sample.defect)
    made: list[Made] = []
    while len(made) < sample.count:
        atoms = host.copy()
        if len(made) % 2:
            strain = generator.uniform(-sample.max_strain, sample.max_strain) * np.eye(3)
        else:
            strain = generator.uniform(-sample.max_strain, sample.max_strain, (3, 3))
            strain = (strain + strain.T) / 2
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        scale = generator.uniform(0.2, 1.0) * sample.rattle_ang
        atoms.positions += generator.normal(0.0, 1.0, atoms.positions.shape) * scale
        if not too_close(atoms, crystal):
            made.append(Made(atoms=atoms))
    return made


def snapshots(
    crystal: Crystal, sample: Sample, calculator: Calculator, *, progress: Progress, checkpoint: Checkpoint
) -> list[Made]:
    """MD at each temperature; a pool of its snapshots, evenly in time; the most different of them."""
    start = defective(crystal, sample.repeat, sample.defect)
    pool: list[Made] = []
    for made in _trajectories(
        start, sample, calculator, heated=2.0, progress=progress, checkpoint=checkpoint
    ):
        pool += made
    return _different(pool, sample.count)


def melt(
    crystal: Crystal, sample: Sample, calculator: Calculator, *, progress: Progress, checkpoint: Checkpoint
) -> list[Made]:
    """MD through falling temperatures, each from where the last one ended; the most different snapshots."""
    start = defective(crystal, sample.repeat, sample.defect)
    start.set_cell(start.cell.array * sample.density ** (-1 / 3), scale_atoms=True)
    pool: list[Made] = []
    for made in _trajectories(
        start, sample, calculator, heated=2.0, progress=progress, checkpoint=checkpoint, go_on=True
    ):
        pool += made
    return _different([one for one in pool if not too_close(one.atoms, crystal)], sample.count)


def along_a_hop(
    crystal: Crystal, sample: Sample, calculator: Calculator, *, progress: Progress
) -> list[Made]:
    """Images of an atom's hop: it stands near the straight line between two sites, the others relax.

    Vacancy: a neighbour on its way into it. Interstitial: the extra atom on its way to the nearest site of
    another kind. The others relax with the model until no force is above 0.3 eV/Å (or for 60 steps), then all
    atoms are rattled.

    Raises:
        DataError: Too many images come out with atoms too close to each other.
    """
    generator = np.random.default_rng(sample.seed)
    made: list[Made] = []
    for attempt in range(10 * sample.count):
        progress(len(made), sample.count, "images")
        atoms, mover, way = _hop(crystal, sample, generator)
        fraction = generator.uniform(0.15, 0.85)
        aside = generator.normal(0.0, 0.15, 3)
        atoms.positions[mover] += fraction * way + aside
        atoms.calc = calculator
        atoms.set_constraint(FixAtoms([mover]))
        FIRE(atoms, logfile=None).run(fmax=RELAXED_EV_PER_ANG, steps=60)
        atoms.set_constraint()
        atoms.calc = None
        atoms.positions += generator.normal(0.0, sample.rattle_ang, atoms.positions.shape)
        if not too_close(atoms, crystal):
            made.append(Made(atoms=atoms))
        if len(made) == sample.count:
            return made
        del attempt
    raise DataError(
        f"sample '{sample.name}': only {len(made)} of {sample.count} images have no atoms too close",
        hint="use another model, or a smaller rattle_ang",
    )


def too_close(atoms: Atoms, crystal: Crystal) -> bool:
    """Whether two atoms are closer than `CLOSEST` neighbour distances."""
    from ase.neighborlist import neighbor_list

    return len(neighbor_list("i", atoms, CLOSEST * crystal.neighbour_distance_ang)) > 0


def _hop(
    crystal: Crystal, sample: Sample, generator: np.random.Generator
) -> tuple[Atoms, int, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """A cell with the defect, the atom that hops, and the vector that it hops along."""
    atoms = defective(crystal, sample.repeat, sample.defect)
    if sample.defect == "vacancy":
        vectors, lengths = find_mic(-atoms.positions, atoms.cell, pbc=True)  # the vacancy is at the origin
        near = np.flatnonzero(lengths < 1.1 * crystal.neighbour_distance_ang)
        mover = int(generator.choice(near))
        return atoms, mover, vectors[mover]
    mover = len(atoms) - 1
    here = atoms.positions[mover].copy()
    kinds = crystal.interstitial_sites(1)
    every = np.concatenate(list(kinds.values()))
    vectors, lengths = find_mic(every - here, atoms.cell, pbc=True)
    near = np.flatnonzero((lengths > 0.1) & (lengths < 1.1 * lengths[lengths > 0.1].min()))  # noqa: PLR2004
    return atoms, mover, vectors[int(generator.choice(near))]


def _trajectories(
    start: Atoms,
    sample: Sample,
    calculator: Calculator,
    *,
    heated: float,
    progress: Progress,
    checkpoint: Checkpoint,
    go_on: bool = False,
) -> Iterator[list[Made]]:
    """For each temperature the snapshots of one run, evenly over its last three quarters."""
    temperatures = sample.temperatures_kelvin
    each = max(1, -(-max(sample.pool, sample.count) // len(temperatures)))
    timestep_fs = 2.0
    n_steps = round(1e3 * sample.time_ps / timestep_fs)
    every = max(1, int((1 - EQUILIBRATION) * n_steps) // each)
    first = n_steps - (each - 1) * every
    atoms = start
    for number, temperature in enumerate(temperatures):
        atoms = atoms.copy()
        atoms.calc = calculator
        made: list[Made] = []
        last = None
        for frame in langevin(
            atoms,
            temperature_kelvin=temperature,
            start_temperature_kelvin=(1.0 if go_on and number else heated) * temperature,
            time_fs=n_steps * timestep_fs,
            seed=[sample.seed, number],
            timestep_fs=timestep_fs,
            progress=_of_all(progress, number, len(temperatures), f"MD at {temperature:g} K"),
            checkpoint=checkpoint.child(f"{sample.name}-{number}"),
        ):
            last = frame.positions_ang
            if frame.step >= first and (frame.step - first) % every == 0:
                snapshot = start.copy()
                snapshot.positions = frame.positions_ang
                made.append(
                    Made(atoms=snapshot, time_fs=frame.time_fs, temperature_kelvin=float(temperature))
                )
        if go_on and last is not None:
            atoms.positions = last
        yield made


def _different(pool: list[Made], count: int) -> list[Made]:
    """All of a pool that is no larger than wanted, else the most different ones, in the pool's order."""
    if len(pool) <= count:
        return pool
    return [pool[i] for i in sorted(farthest(soap([made.atoms for made in pool]), count))]


def _of_all(progress: Progress, part: int, parts: int, what: str) -> Callable[[int, int, str], None]:
    """Progress of one of several equal parts."""

    def told(done: int, total: int, _: str) -> None:
        progress(part * total + done, parts * total, what)

    return told
