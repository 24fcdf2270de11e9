"""Make the fixed path of the silicon vacancy's hop with the linear ACE of `fit_ace.py`, into a labelling queue.

    OMP_NUM_THREADS=1 python path_ace.py MODEL.yace QUEUE_DIR
    mlpzoo data label QUEUE_DIR
    mlpzoo data build QUEUE_DIR --out DIR --name si-vacancy-path --kind path-forces

Needs `python-ace==0.4.0rc1` and mlpzoo. Nine images of a climbing-image NEB (improved tangent, IDPP with minimum
image) between end points that were relaxed from three starts each. The ACE decides the structures only; energies and
forces are DFT's.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.mep import NEB
from ase.optimize import FIRE, LBFGS
from mlpzoo.data.queue import Queue, QueuedFrame, Run
from pyace import PyACECalculator

LATTICE_CONSTANT_ANG = 5.469
N_BETWEEN = 7
NAME = "si-vacancy-path"


def paired(atoms: Atoms, site: np.ndarray, amount_ang: float) -> Atoms:
    """The four neighbours of a vacancy moved towards each other in two pairs."""
    moved = atoms.copy()
    vectors = moved.positions - site
    lengths = moved.cell.lengths()
    vectors -= lengths * np.round(vectors / lengths)
    near = np.argsort(np.linalg.norm(vectors, axis=1))[:4]
    for k, atom in enumerate(near):
        [mate] = [m for m in range(4) if m != k and np.sign(vectors[near[m]][2]) == np.sign(vectors[atom][2])]
        way = vectors[near[mate]] - vectors[atom]
        moved.positions[atom] += amount_ang * way / np.linalg.norm(way)
    return moved


def relaxed(atoms: Atoms, site: np.ndarray, model: str) -> Atoms:
    """The lowest of the relaxations from three starts."""
    best: Atoms | None = None
    for amount in (0.0, 0.3, -0.2):
        start = paired(atoms, site, amount)
        start.calc = PyACECalculator(model, recursive_evaluator=True, recursive=True)
        if not LBFGS(start, logfile=None).run(fmax=0.01, steps=500):
            raise SystemExit("an end point did not relax")
        if best is None or start.get_potential_energy() < best.get_potential_energy() - 1e-4:
            best = start
    assert best is not None
    return best


def frame(image: Atoms, number: int, sampler: str) -> QueuedFrame:
    """An image as the queue wants it; nothing in it is a rare-event atom of a trajectory."""
    atoms = image.copy()
    atoms.positions = np.round(atoms.positions, 8)
    atoms.wrap()
    return QueuedFrame(
        frame_id=f"{NAME}-i{number:02d}",
        system=NAME,
        run=NAME,
        order=number,
        symbols=atoms.get_chemical_symbols(),
        cell_ang=atoms.cell.array.tolist(),
        positions_ang=np.round(atoms.positions, 8).tolist(),
        re_mask=[False] * len(atoms),
        r_ang=[5.5] * len(atoms),
        sampler=sampler,
        time_fs=0.0,
        temperature_kelvin=0.0,
    )


def main() -> None:
    """Parse, relax the ends, find the path, queue it."""
    model, out = sys.argv[1:]
    host = bulk("Si", "diamond", a=LATTICE_CONSTANT_ANG, cubic=True).repeat(2)
    distances = host.get_distances(0, range(len(host)), mic=True)
    hopping = int(np.where((distances > 1) & (distances < 2.5))[0][0])
    first, last = host.copy(), host.copy()
    last.positions[hopping] += host.get_distance(hopping, 0, mic=True, vector=True)
    del first[0], last[0]
    ends = relaxed(first, host.positions[0], model), relaxed(last, host.positions[hopping], model)
    images = [ends[0], *(ends[0].copy() for _ in range(N_BETWEEN)), ends[1]]
    band = NEB(images, k=1.0, climb=False, method="improvedtangent", allow_shared_calculator=True)
    band.interpolate("idpp", mic=True)
    generator = np.random.default_rng(0)
    calculator = PyACECalculator(model, recursive_evaluator=True, recursive=True)
    for image in images[1:-1]:
        image.positions += generator.normal(0, 0.01, image.positions.shape)
        image.calc = calculator
    for climb, fmax in ((False, 0.1), (True, 0.03)):
        band.climb = climb
        if not FIRE(band, logfile=None).run(fmax=fmax, steps=500):
            raise SystemExit("the path did not converge")
    print([round(image.get_potential_energy() - ends[0].get_potential_energy(), 4) for image in images])
    digest = hashlib.sha256(Path(model).read_bytes()).hexdigest()
    sampler = f"linear ACE, 300 functions, python-ace {version('python-ace')}, sha256 {digest}"
    frames = [frame(image, number, sampler) for number, image in enumerate(images)]
    settings = {
        "method": "CI-NEB, improved tangent, IDPP with minimum image, seeded rattle 0.01 Å, fmax 0.03 eV/Å"
    }
    run = Run(run=NAME, system=NAME, sampler=sampler, settings=settings, counts={}, date=str(date.today()))
    Queue(Path(out)).add_run(run, frames)


if __name__ == "__main__":
    main()
