"""Fit of a linear ACE: one linear least-squares problem, summed up structure by structure.

Energies per atom, forces and virials per atom of all structures are linear in the coefficients: with the
design matrix A, weights W and targets y they are the solution of (A^T W^2 A + r) c = A^T W^2 y.  Both sides
are sums over structures, so a killed fit goes on with the next one, and memory does not grow with the data.
The rows of energies and forces are pyace's own derivatives; those of virials are central differences of its
energy functions (strains of 1e-4: the remainder is 1e-8 of their curvature).

Importing this imports pyace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.neighborlist import neighbor_list
from ase.stress import voigt_6_to_full_3x3_stress
from pyace import ACEBBasisSet, ACEBEvaluator, ACECalculator, create_multispecies_basis_config
from pyace.atomicenvironment import aseatoms_to_atomicenvironment
from pyace.linearacefit import compute_nfunc_func_ind_shift
from scipy.linalg import cho_factor, cho_solve

from mlpzoo.errors import CalculationError, UsageError
from mlpzoo.training import Trained, energies_of_elements, note_on_zero

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.training import TrainingJob

    Array = NDArray[np.float64]

CITATION: Final = (
    "ACE: Drautz, Phys. Rev. B 99, 014104 (2019), doi:10.1103/PhysRevB.99.014104; "
    "Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021), doi:10.1038/s41524-021-00559-9"
)
STRAIN: Final = 1e-4
SAVES: Final = 50
CORE_WIDTH: Final = 0.25
"""Of the distance at which ZBL repulsion begins: over so much it replaces the expansion."""


def train(job: TrainingJob) -> Trained:
    """Fit a model, or go on; see `mlpzoo.training.TrainingJob`.

    Raises:
        UsageError: A setting makes no basis.
        CalculationError: The equations have no solution.
    """
    cutoff = float(job.settings["cutoff_ang"])
    zero = energies_of_elements(job)
    cores = _cores(job)
    design = _Design(_basis(job, cores), job, zero)
    path = job.directory / "trained.yace"
    equations = _sum_up(design, job, path)
    coefficients = equations.solve(float(job.settings["ridge"]))
    _write(design.basis, coefficients, [zero[s] for s in design.basis.elements_name], path)
    job.progress(len(job.train), len(job.train), "structures")
    return Trained(
        path=path,
        cutoff_ang=cutoff,
        n_parameters=len(coefficients),
        title=f"linear ACE, {len(coefficients)} functions",
        citation=CITATION,
        notes=(
            f"Always float64. {note_on_zero(zero)} A linear least-squares fit: no random number enters it."
            f"{_core_note(job, cores)}"
        ),
    )


@dataclass(slots=True, kw_only=True)
class _Equations:
    """The sums over the first ``done`` structures."""

    matrix: Array
    right: Array
    done: int = 0

    def add(self, rows: Array, targets: Array, weights: Array) -> None:
        weighted = rows * weights[:, None]
        self.matrix += weighted.T @ weighted
        self.right += weighted.T @ (weights * targets)
        self.done += 1

    def solve(self, ridge: float) -> Array:
        matrix = self.matrix.copy()
        matrix[np.diag_indices_from(matrix)] += ridge * np.mean(np.diag(matrix))
        try:
            solution: Array = cho_solve(cho_factor(matrix), self.right)
        except np.linalg.LinAlgError as error:
            raise CalculationError(
                f"the normal equations are singular: {error}", hint="raise ridge"
            ) from error
        return solution


def _sum_up(design: _Design, job: TrainingJob, path: Path) -> _Equations:
    """The equations of all structures; the state is saved some fifty times."""
    state = job.directory / "equations.npz"
    total = len(job.train)
    equations = _loaded(state, design.n_functions)
    finished = equations.done == total and path.exists()
    if not finished:
        job.progress(min(equations.done, total - 1), total, "structures")
    every = max(1, total // SAVES)
    for number in range(equations.done, total):
        equations.add(*design.rows(job.train[number]))
        if (number + 1) % every == 0 or number + 1 == total:
            _save(equations, state)
            if number + 1 < total:
                job.progress(number + 1, total, "structures")
    return equations


def _loaded(state: Path, n_functions: int) -> _Equations:
    if state.exists():
        with np.load(state, allow_pickle=False) as found:
            return _Equations(matrix=found["matrix"], right=found["right"], done=int(found["done"]))
    return _Equations(matrix=np.zeros((n_functions, n_functions)), right=np.zeros(n_functions))


def _save(equations: _Equations, state: Path) -> None:
    """Replace the state on disk: a kill in the middle leaves the old one."""
    temporary = state.with_suffix(".part.npz")
    np.savez(temporary, matrix=equations.matrix, right=equations.right, done=equations.done)
    temporary.replace(state)


class _Design:
    """Rows of the design matrix, and targets less what no coefficient changes.

    Args:
        basis: Its coefficients are set to zero: what is left of its energy is the repulsion of cores.
        job: For weights.
        zero: Energy of each element, eV.
    """

    def __init__(self, basis: ACEBBasisSet, job: TrainingJob, zero: dict[str, float]) -> None:
        self.basis = basis
        self.zero = zero
        self.n_functions, self._starts = compute_nfunc_func_ind_shift(basis)
        basis.basis_coeffs = np.zeros(self.n_functions)
        self._evaluator = ACEBEvaluator(basis)  # the calculator does not keep it alive
        self._calculator = ACECalculator(self._evaluator)
        self._energy_weight = float(job.settings["energy_weight"])
        self._stress_weight = float(job.settings["stress_weight"])
        self._stress = job.has_stress

    def rows(self, atoms: Atoms) -> tuple[Array, Array, Array]:
        """Rows (n, n_functions), targets (n,) and weights (n,) of one structure."""
        results, n = atoms.calc.results, len(atoms)
        environment = self._environment(atoms)
        energy_row = self._energies(environment, gradients=True) / n
        calculator = self._calculator
        force_rows = np.array(calculator.forces_bfuncs).transpose(0, 2, 1).reshape(3 * n, self.n_functions)
        zero = sum(self.zero[symbol] for symbol in atoms.symbols)
        energy = (results["energy"] - zero - calculator.energy) / n
        forces = (np.asarray(results["forces"]) - np.array(calculator.forces)).ravel()
        rows, targets = [energy_row[None], force_rows], [[energy], forces]
        weights = [[self._energy_weight], np.ones(3 * n)]
        if self._stress:
            slopes, core = self._virials(atoms)
            virial = atoms.get_volume() * np.asarray(results["stress"]) - core
            rows.append(slopes / n)
            targets.append(virial / n)
            weights.append(np.full(6, self._stress_weight))
        return np.concatenate(rows), np.concatenate(targets), np.concatenate(weights)

    def _virials(self, atoms: Atoms) -> tuple[Array, Array]:
        """dE/dstrain of each function (6, n_functions) and of the core (6,), in ASE's Voigt order."""
        slopes, core = np.empty((6, self.n_functions)), np.empty(6)
        for component in range(6):
            unit = np.zeros(6)
            unit[component] = 1.0
            strain = voigt_6_to_full_3x3_stress(unit)
            strain /= np.abs(strain).sum()  # a shear is half in each of two places
            ends = []
            for sign in (1.0, -1.0):
                strained = atoms.copy()
                deformation = np.eye(3) + sign * STRAIN * strain
                strained.set_cell(strained.cell.array @ deformation, scale_atoms=True)
                functions = self._energies(self._environment(strained))
                ends.append(np.append(functions, self._calculator.energy))
            slope = (ends[0] - ends[1]) / (2 * STRAIN)
            slopes[component], core[component] = slope[:-1], slope[-1]
        return slopes, core

    def _energies(self, environment: Any, *, gradients: bool = False) -> Array:
        """Each function summed over the atoms."""
        self._calculator.compute(environment, compute_projections=True, compute_b_grad=gradients)
        found = np.zeros(self.n_functions)
        for species, projection in zip(environment.species_type, self._calculator.projections, strict=False):
            start = self._starts[species]
            found[start : start + len(projection)] += projection
        return found

    def _environment(self, atoms: Atoms) -> Any:
        return aseatoms_to_atomicenvironment(
            atoms, cutoff=self.basis.cutoffmax, elements_mapper_dict=self.basis.elements_to_index_map
        )


def _basis(job: TrainingJob, cores: dict[tuple[str, ...], float]) -> ACEBBasisSet:
    """The basis that the settings describe, with a core where the data ends."""
    settings = job.settings
    orders = {key: [int(word) for word in str(settings[key]).split()] for key in ("n_max", "l_max")}
    if len(orders["n_max"]) != len(orders["l_max"]):
        raise UsageError(
            f"n_max has {len(orders['n_max'])} orders and l_max {len(orders['l_max'])}",
            hint="give one number for each order",
        )
    configuration = create_multispecies_basis_config(
        {
            "deltaSplineBins": 0.001,
            "elements": list(job.elements),
            "embeddings": {"ALL": {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}},
            "bonds": {
                "ALL": {
                    "radbase": "SBessel",
                    "radparameters": [float(settings["radial_exponent"])],
                    "rcut": float(settings["cutoff_ang"]),
                    "dcut": 0.01,
                }
            },
            "functions": {
                "number_of_functions_per_element": int(settings["functions"]),
                "ALL": {"nradmax_by_orders": orders["n_max"], "lmax_by_orders": orders["l_max"]},
            },
        }
    )
    for block in configuration.funcspecs_blocks:
        core = cores.get(tuple(sorted((block.elements_vec[0], block.elements_vec[-1]))))
        if core is not None and block.number_of_species <= 2:  # noqa: PLR2004
            block.inner_cutoff_type = "zbl"
            block.core_rep_parameters = [1.0, 1.0]  # screening and strength of Ziegler, Biersack and Littmark
            block.r_in = core
            block.delta_in = CORE_WIDTH * core
    return ACEBBasisSet(configuration)


def _cores(job: TrainingJob) -> dict[tuple[str, ...], float]:
    """Distance of each pair of elements at which repulsion begins, Å; empty if it never does."""
    share, cutoff = float(job.settings["core"]), float(job.settings["cutoff_ang"])
    if not share:
        return {}
    shortest = {tuple(sorted((a, b))): cutoff for a in job.elements for b in job.elements}
    for atoms in job.train:
        first, second, distances = neighbor_list("ijd", atoms, cutoff)
        symbols = np.array(atoms.get_chemical_symbols())
        for pair, so_far in shortest.items():
            here = (symbols[first] == pair[0]) & (symbols[second] == pair[1])
            shortest[pair] = min([so_far, *distances[here]])
    return {pair: share * float(distance) for pair, distance in shortest.items()}


def _core_note(job: TrainingJob, cores: dict[tuple[str, ...], float]) -> str:
    if not cores:
        return ""
    where = ", ".join(f"{'-'.join(pair)} {core:.2f} Å" for pair, core in cores.items())
    return (
        f" Nearer than {job.settings['core']:g} of the shortest distance of the training set ({where}) ZBL "
        "repulsion takes over."
    )


def _write(basis: ACEBBasisSet, coefficients: Array, zero: list[float], path: Path) -> None:
    """The potential with its energies of free atoms, whole or not at all."""
    basis.basis_coeffs = coefficients
    temporary = path.with_name("part.yace")
    basis.to_ACECTildeBasisSet().save_yaml(str(temporary))
    lines = temporary.read_text(encoding="utf-8").splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if line.startswith("E0:")]
    lines[place] = f"E0: [{', '.join(map(repr, zero))}]\n"
    temporary.write_text("".join(lines), encoding="utf-8")
    temporary.replace(path)
