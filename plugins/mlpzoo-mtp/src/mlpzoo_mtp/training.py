"""Fit of a moment tensor potential by Levenberg-Marquardt steps, each summed up structure by structure.

The potential is linear in its energies of atoms and coefficients of moments, but not in its radial functions.
All start at zero but the radial functions, which are the first Chebyshev polynomials; so the first step is a
linear least-squares fit, and no random number enters.  With the Jacobian J of all parameters, which motep's
engine computes, weights W and residuals r, a step is the solution of (J^T W^2 J + d D) s = J^T W^2 r; D holds
the largest diagonal so far (Moré, Lect. Notes Math. 630, 105 (1978), doi:10.1007/BFb0067700), and d follows
from how much of the expected gain came true (Madsen, Nielsen and Tingleff, Methods for Non-Linear Least
Squares Problems, Technical University of Denmark 2004, sec. 3.2).  Both sides are sums over structures, so a
killed fit goes on with the next one, and memory does not grow with the data.

Importing this imports motep.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import atomic_numbers
from ase.neighborlist import neighbor_list
from motep.potentials.mtp.data import BasisData, MTPData
from scipy.linalg import cho_factor, cho_solve

from mlpzoo.errors import CalculationError, UsageError
from mlpzoo.training import Trained, energies_of_elements
from mlpzoo_mtp.calculator import Engine
from mlpzoo_mtp.moments import tables
from mlpzoo_mtp.potential import RADIAL_BASIS, write

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.training import TrainingJob

    Array = NDArray[np.float64]

CITATION: Final = (
    "MTP: Shapeev, Multiscale Model. Simul. 14, 1153 (2016), doi:10.1137/15M1054183; "
    "Novikov et al., Mach. Learn.: Sci. Technol. 2, 025002 (2021), doi:10.1088/2632-2153/abc9fe"
)
SAVES: Final = 50
LINEAR: Final = 1e-9
"""Damping of the first step: enough for a matrix that is singular but for rounding."""
FIRST: Final = 1e-2
"""Damping of the second step, the first that changes radial functions."""
LEAST: Final = 1e-9
TINY: Final = 1e-300
NEAREST: Final = 0.95
"""Of the shortest distance of the training set: where the Chebyshev polynomials begin."""


def train(job: TrainingJob) -> Trained:
    """Fit a potential, or go on; see `mlpzoo.training.TrainingJob`.

    Raises:
        UsageError: There is no basis of this level.
        CalculationError: A step has no solution.
    """
    data = _start(job)
    path = job.directory / "trained.mtp"
    search = _search(data, job, path)
    data.parameters = search.best
    write(data, path)
    total = _total(job)
    job.progress(total, total, "structures")
    energies = ", ".join(f"{s} {e:.3f}" for s, e in zip(job.elements, data.species_coeffs, strict=True))
    return Trained(
        path=path,
        cutoff_ang=float(data.radial_basis.max),
        n_parameters=len(search.best),
        title=f"MTP, level {job.settings['level']}, {data.alpha_scalar_moments} functions",
        citation=CITATION,
        notes=(
            f"Always float64. Energies of lone atoms ({energies} eV) were fitted with the rest: they are not "
            "those of free atoms. "
            f"Made for distances from {data.radial_basis.min:.2f} Å on; nearer, its polynomials go on, "
            "finite and smooth, but know nothing. No random number enters the fit."
        ),
    )


@dataclass(slots=True, kw_only=True)
class _Search:
    """The state of a fit: the sums over the first ``done`` structures at ``trial``, and the best so far.

    Attributes:
        trial: Parameters that are being tried, shape (n,).
        matrix, right, loss: J^T W^2 J, J^T W^2 r and r^T W^2 r of them, so far.
        done: Structures in these sums.
        step: Steps that were taken or refused.
        best, best_matrix, best_right, best_loss: Of the parameters with the lowest loss.
        largest: D, shape (n,).
        damping, growth: d, and by what it grows if the next step is refused.
        expected: By how much the loss of what is tried is less than the best, if residuals are linear.
    """

    trial: Array
    matrix: Array
    right: Array
    best: Array
    best_matrix: Array
    best_right: Array
    largest: Array
    damping: float
    loss: float = 0.0
    best_loss: float = np.inf
    growth: float = 2.0
    expected: float = np.inf
    done: int = 0
    step: int = 0

    def add(self, jacobian: Array, residuals: Array) -> None:
        """One more structure: weighted rows (rows, n) and residuals (rows,)."""
        self.matrix += jacobian.T @ jacobian
        self.right += jacobian.T @ residuals
        self.loss += float(residuals @ residuals)
        self.done += 1

    def judge(self) -> None:
        """Keep what was tried if it is better, and choose what to try next.

        Raises:
            CalculationError: The equations have no solution.
        """
        if self.loss < self.best_loss:
            if self.step == 1:  # the linear step was taken, radial functions follow
                self.damping = FIRST
            elif self.step > 1:
                gain = (self.best_loss - self.loss) / max(self.expected, TINY)
                factor = max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3)
                self.damping = max(LEAST, factor * self.damping)
            self.best, self.best_loss = self.trial, self.loss
            self.best_matrix, self.best_right = self.matrix, self.right
            self.largest = np.maximum(self.largest, np.diag(self.matrix))
            self.growth = 2.0
        else:
            self.damping *= self.growth
            self.growth *= 2.0
        step = self._solution()
        self.expected = float(step @ (2.0 * self.best_right - self.best_matrix @ step))
        self.trial = self.best + step
        self.matrix, self.right = np.zeros_like(self.matrix), np.zeros_like(self.right)
        self.loss, self.done = 0.0, 0
        self.step += 1

    def _solution(self) -> Array:
        scale = np.sqrt(np.where(self.largest > 0, self.largest, 1.0))  # 0: no structure depends on it
        matrix = self.best_matrix / np.outer(scale, scale)
        matrix[np.diag_indices_from(matrix)] += self.damping
        try:
            step: Array = cho_solve(cho_factor(matrix), self.best_right / scale) / scale
        except (np.linalg.LinAlgError, ValueError) as error:
            raise CalculationError(
                f"step {self.step + 1} of the fit has no solution: {error}", hint="choose a lower level"
            ) from error
        return step


def _search(data: MTPData, job: TrainingJob, path: Path) -> _Search:
    """All steps and the evaluation after the last one; the state is saved some fifty times."""
    state = job.directory / "search.npz"
    n, total = len(job.train), _total(job)
    search = _loaded(state, data.parameters)
    done = search.step * n + search.done
    if done < total or not path.exists():
        job.progress(min(done, total - 1), total, "structures")
    rows = _Rows(data, job)
    data.parameters = search.trial
    every = max(1, total // SAVES)
    for number in range(done, total):
        search.add(*rows.of(job.train[number % n]))
        if search.done == n:
            search.judge()
            data.parameters = search.trial
        if (number + 1) % every == 0 or number + 1 == total:
            _save(search, state)
            if number + 1 < total:
                job.progress(number + 1, total, "structures")
    return search


def _total(job: TrainingJob) -> int:
    return (int(job.settings["steps"]) + 1) * len(job.train)


def _loaded(state: Path, start: Array) -> _Search:
    if state.exists():
        with np.load(state, allow_pickle=False) as found:
            values = {name: found[name] for name in found.files}
            return _Search(**{name: v if v.ndim else v.item() for name, v in values.items()})
    matrix, vector = np.zeros((len(start), len(start))), np.zeros(len(start))
    return _Search(
        trial=start,
        matrix=matrix,
        right=vector,
        best=start,
        best_matrix=matrix,
        best_right=vector,
        largest=vector,
        damping=LINEAR,
    )


def _save(search: _Search, state: Path) -> None:
    """Replace the state on disk: a kill in the middle leaves the old one."""
    temporary = state.with_suffix(".part.npz")
    np.savez(temporary, **{field.name: getattr(search, field.name) for field in fields(search)})
    temporary.replace(state)


class _Rows:
    """Weighted Jacobian and residuals of a structure, at the potential's present parameters."""

    def __init__(self, data: MTPData, job: TrainingJob) -> None:
        self._engine = Engine(data, mode="train")
        self._energy_weight = float(job.settings["energy_weight"])
        self._stress_weight = float(job.settings["stress_weight"])
        self._stress = job.has_stress

    def of(self, atoms: Atoms) -> tuple[Array, Array]:
        """Rows (rows, n) and residuals (rows,)."""
        labels, n, engine = atoms.calc.results, len(atoms), self._engine
        found = engine.calculate(atoms)
        weight = self._energy_weight / n
        rows = [weight * engine.jac_energy(atoms).parameters[None]]
        residuals = [[weight * (labels["energy"] - found["energy"])]]
        rows.append(engine.jac_forces(atoms).parameters.reshape(-1, 3 * n).T)
        residuals.append((labels["forces"] - found["forces"]).ravel())
        if self._stress:
            weight = self._stress_weight * atoms.get_volume() / n
            voigt = engine.jac_stress(atoms).parameters.reshape(-1, 9)[:, [0, 4, 8, 5, 2, 1]]
            rows.append(weight * voigt.T)
            residuals.append(weight * (labels["stress"] - found["stress"]))
        return np.concatenate(rows), np.concatenate(residuals)


def _start(job: TrainingJob) -> MTPData:
    """The potential before the fit: energies of atoms, radial functions, and no moments."""
    level, size = int(job.settings["level"]), int(job.settings["radial_size"])
    if int(job.settings["steps"]) < 1:
        raise UsageError(
            f"steps is {job.settings['steps']}", hint="one step is a linear fit; take at least one"
        )
    try:
        index = tables(level)
    except ValueError as error:
        raise UsageError(str(error), hint="choose 2, 4, 6, ... 16") from error
    if size < max(2, index.n_radial):
        raise UsageError(
            f"radial_size {size} is less than the {max(2, index.n_radial)} radial functions of level {level}",
            hint="raise radial_size",
        )
    cutoff, n = float(job.settings["cutoff_ang"]), len(job.elements)
    nearest = min([cutoff / 2, *(d for atoms in job.train for d in neighbor_list("d", atoms, cutoff / 2))])
    shortest = NEAREST * float(nearest)
    data = MTPData(
        version="1.1.0",
        potential_name=f"MTP-level-{level}",
        scaling=1.0 / (cutoff - shortest) ** 2,
        species_count=n,
        radial_basis=BasisData(type=RADIAL_BASIS, min=shortest, max=cutoff, size=size),
        radial_funcs_count=index.n_radial,
        radial_coeffs=np.tile(np.eye(index.n_radial, size), (n, n, 1, 1)),
        alpha_moments_count=index.n_components,
        alpha_index_basic_count=len(index.basic),
        alpha_index_basic=np.array(index.basic, dtype=np.int32),
        alpha_index_times_count=len(index.times),
        alpha_index_times=np.array(index.times, dtype=np.int32).reshape(-1, 4),
        alpha_scalar_moments=len(index.scalars),
        alpha_moment_mapping=np.array(index.scalars, dtype=np.int32),
        species_coeffs=np.array(list(energies_of_elements(job).values())),
        moment_coeffs=np.zeros(len(index.scalars)),
    )
    data.species = [atomic_numbers[symbol] for symbol in job.elements]
    return data
