"""Our physics beside matcalc's, on the same cells with the same potential, in one run.

    uv run --with matcalc python benchmarks/against_matcalc.py

CPU time and force calls for EMT copper: equation of state, elastic constants, hop of a vacancy in 107 atoms
(both ends relaxed, climbing image, improved tangent, 7 images, 0.02 eV/Å), phonons from a 108-atom cell. Both
use the same calculator, which counts its calls. What cannot be set equal: matcalc strains six components, we
the two that a cubic crystal needs.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from mlpzoo.backends.emt_calculator import EmtCalculator
from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.elastic import elastic_constants
from mlpzoo.physics.eos import equation_of_state
from mlpzoo.physics.hops import vacancy_hops
from mlpzoo.physics.neb import NebSettings, find_path
from mlpzoo.physics.phonons import crystal_phonons
from mlpzoo.physics.relax import relax

FMAX_EV_PER_ANG = 0.02
N_IMAGES = 7
REPEAT = 3


class Counting(EmtCalculator):
    """EMT that counts its evaluations, over all instances."""

    calls = 0

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        """Count, and compute."""
        Counting.calls += 1
        super().calculate(atoms, properties, system_changes)


def measured(work: Callable[[], Any]) -> tuple[Any, int, float]:
    """Result, force calls and CPU seconds."""
    calls, start = Counting.calls, time.process_time()
    result = work()
    return result, Counting.calls - calls, time.process_time() - start


def ours(crystal: Crystal, calculator: Calculator) -> dict[str, Callable[[], dict[str, float]]]:
    """The four tasks with mlpzoo."""

    def eos() -> dict[str, float]:
        found = equation_of_state(crystal, calculator)
        return {"a": found.lattice_constant_ang, "B": found.fit.bulk_modulus_gpa}

    def elastic() -> dict[str, float]:
        found = elastic_constants(crystal, calculator)
        return {"C11": found.c11_gpa, "C12": found.c12_gpa, "C44": found.c44_gpa}

    def neb() -> dict[str, float]:
        hop = vacancy_hops(crystal, REPEAT)["ideal"]
        ends = [relax(end, calculator, fmax_ev_per_ang=FMAX_EV_PER_ANG) for end in (hop.initial, hop.final)]
        settings = NebSettings(n_images=N_IMAGES, fmax_ev_per_ang=FMAX_EV_PER_ANG, starts=("straight",))
        return {"barrier": find_path(ends[0], ends[1], calculator, settings).barrier_ev}

    def phonons() -> dict[str, float]:
        found = crystal_phonons(crystal, calculator, repeat=REPEAT)
        return {"highest": found.highest_thz}

    return {"EOS": eos, "elastic": elastic, "NEB": neb, "phonons": phonons}


def theirs(crystal: Crystal, calculator: Calculator) -> dict[str, Callable[[], dict[str, float]]]:
    """The same with matcalc."""
    from matcalc import ElasticityCalc, EOSCalc, NEBCalc, PhononCalc, RelaxCalc
    from pymatgen.io.ase import AseAtomsAdaptor

    structure = AseAtomsAdaptor.get_structure(crystal.cubic())

    def eos() -> dict[str, float]:
        task = EOSCalc(
            calculator, n_points=9, max_abs_strain=0.02, fmax=FMAX_EV_PER_ANG, relax_structure=False
        )
        found = task.calc(structure)
        return {"B": float(found["bulk_modulus_bm"])}

    def elastic() -> dict[str, float]:
        found = ElasticityCalc(
            calculator,
            norm_strains=(-0.005, -0.0025, 0.0025, 0.005),
            shear_strains=(-0.005, -0.0025, 0.0025, 0.005),
            fmax=2e-4,
            relax_structure=False,
            relax_deformed_structures=True,
            units_GPa=True,
        ).calc(structure)
        tensor = np.asarray(found["elastic_tensor"].voigt)
        return {"C11": float(tensor[0, 0]), "C12": float(tensor[0, 1]), "C44": float(tensor[3, 3])}

    def neb() -> dict[str, float]:
        hop = vacancy_hops(crystal, REPEAT)["ideal"]
        images = []
        for end in (hop.initial, hop.final):
            relaxer = RelaxCalc(calculator, fmax=FMAX_EV_PER_ANG, relax_cell=False)
            images.append(relaxer.calc(AseAtomsAdaptor.get_structure(end))["final_structure"])
        path = images[0].interpolate(images[1], nimages=N_IMAGES - 1, pbc=True, interpolate_lattices=False)
        found = NEBCalc(calculator, fmax=FMAX_EV_PER_ANG, climb=True, method="improvedtangent").calc(
            {f"image{i:02d}": image for i, image in enumerate(path)}
        )
        return {"barrier": float(found["barrier"])}

    def phonons() -> dict[str, float]:
        found = PhononCalc(
            calculator,
            atom_disp=0.01,
            min_length=None,
            supercell_matrix=np.eye(3, dtype=int) * REPEAT,
            relax_structure=False,
            write_phonon=False,
        ).calc(structure)
        return {"highest": float(np.max(found["phonon"].get_mesh_dict()["frequencies"]))}

    return {"EOS": eos, "elastic": elastic, "NEB": neb, "phonons": phonons}


def main() -> None:
    """Run all, alternating, and print a table."""
    warnings.simplefilter("ignore")
    calculator = Counting()
    crystal = Crystal(symbol="Cu", structure="fcc", lattice_constant_ang=3.6)
    crystal = crystal.with_lattice_constant(equation_of_state(crystal, calculator).lattice_constant_ang)
    print(f"{'task':<8} {'who':<8} {'calls':>6} {'CPU s':>8}  values")
    mine, other = ours(crystal, calculator), theirs(crystal, Counting())
    for task in mine:
        spent = []
        for who, work in (("mlpzoo", mine[task]), ("matcalc", other[task])):
            values, calls, seconds = measured(work)
            spent.append((calls, seconds))
            text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
            print(f"{task:<8} {who:<8} {calls:6d} {seconds:8.2f}  {text}", flush=True)
        (a, b), (c, d) = spent
        print(f"{'':<8} {'ratio':<8} {a / c:6.2f} {b / d:8.2f}")


if __name__ == "__main__":
    main()
