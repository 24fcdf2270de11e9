"""Are the forces along a path those of its energies?

Without forces, or with wrong ones, a band "converges" at once, wherever it is, and the energy of its highest
image looks like a barrier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.errors import CalculationError
from mlpzoo.physics.evaluate import evaluate_many

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray

    from mlpzoo.physics.neb_band import Band

USUAL_SHARES = 0.5, 1.5
"""Of the barrier: the forces' work up to the saddle on a few images. (0.7 to 0.9 for smooth potentials; with
other images than usual anything, so that outside it is looked at more closely.)"""

STEP_ANG = 0.01  # of the whole band's length, to either side
ODD_EV_PER_ANG, ODD_SHARE = 0.1, 0.5


def work(band: NDArray[np.float64], forces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the work of the forces up to each image, by the trapezoidal rule, in eV, shape (n_images,).

    Args:
        band: Shape (n_images, n_atoms, 3).
        forces: On the intermediate images, shape (n_images - 2, n_atoms, 3); the ends have none.
    """
    every = np.concatenate([np.zeros_like(band[:1]), forces, np.zeros_like(band[:1])])
    steps = np.einsum("nij,nij->n", every[1:] + every[:-1], np.diff(band, axis=0))
    return np.concatenate([[0.0], -0.5 * np.cumsum(steps)])


def check_work(band: Band, atoms: Atoms, calculator: Calculator) -> None:
    """Compare the forces' work with the energies; where it is unusual, force and slope of the energy.

    The slope is that halfway between the two images before the saddle that differ most; it takes two force
    calls, in the unusual case.

    Raises:
        CalculationError: The forces are not those of the energies, or no image is higher than the ends.
    """
    top = int(np.argmax(band.energies_ev))
    if top in {0, len(band.energies_ev) - 1}:
        raise CalculationError(
            "no image of the path is higher than its ends: there is no saddle point between them",
            hint="an end is no minimum of this model: its formation energies say what is",
        )
    low, high = (share * band.barrier_ev for share in USUAL_SHARES)
    if low < work(band.positions_ang, band.forces_ev_per_ang)[top] < high:
        return
    last = 1 + int(np.argmax(np.abs(np.diff(band.energies_ev[: top + 1]))))
    before, after = band.positions_ang[last - 1], band.positions_ang[last]
    along = (after - before) / np.linalg.norm(after - before)
    frames = []
    for side in (-1, 1):
        frame = atoms.copy()
        frame.set_positions(0.5 * (before + after) + side * STEP_ANG * along, apply_constraint=False)
        frames.append(frame)
    found = evaluate_many(calculator, frames)
    slope = (found[1].energy_ev - found[0].energy_ev) / (2 * STEP_ANG)
    by_forces = -float(np.mean([np.vdot(one.forces_ev_per_ang, along) for one in found]))
    if abs(by_forces - slope) > ODD_EV_PER_ANG + ODD_SHARE * abs(slope):
        raise CalculationError(
            f"the forces are not those of the energy: on the way to its highest image this rises by "
            f"{slope:.3f} eV/Å, by the forces {by_forces:.3f} eV/Å",
            hint="the model or its plugin may be wrong: 'mlpzoo check' compares them",
        )
