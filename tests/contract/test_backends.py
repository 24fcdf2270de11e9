"""The built-in potentials: the whole kit, published numbers, and another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.tersoff import Tersoff, TersoffParameters

from mlpzoo.backends import mlpzoo_register_backends
from mlpzoo.backends.tersoff import T3, TersoffBackend, read_lammps
from mlpzoo.backends.tersoff_calculator import TersoffCalculator
from mlpzoo.calculator import build
from mlpzoo.errors import ModelError, UnsupportedElementError, UsageError
from mlpzoo.models import ModelSpec
from mlpzoo.plugins import load
from mlpzoo.registry import Registry
from mlpzoo.testing import BackendConformance, run_checks, subject_of
from mlpzoo.testing.structures import perturbed

SI_FILE = """# a comment
Si Si Si 3.0 1.0 1.7322 1.0039e5 16.218 -0.59826 0.78734  # ... and one at the end
         1.0999e-6 1.7322 471.18 2.85 0.15 2.4799 1830.8
"""


class TestEmt(BackendConformance):
    model = "emt"


class TestTersoffSilicon(BackendConformance):
    model = "tersoff/si"


class TestTersoffSiliconCarbide(BackendConformance):
    model = "tersoff/sic"


class TestLennardJonesArgon(BackendConformance):
    model = "lj/ar"


class TestLennardJonesCopper(BackendConformance):
    model = "lj/cu"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load(entry_points=False))


def energy_per_atom(registry: Registry, model: str, atoms: Atoms) -> float:
    atoms.calc = build(registry.backend(model.partition("/")[0]).item, registry.resolve(model))
    return atoms.get_potential_energy() / len(atoms)


def lj_cards() -> list[str]:
    (backend,) = (b for b in mlpzoo_register_backends() if b.family == "lj")
    return [card.name for card in backend.cards()]


@pytest.mark.parametrize("model", lj_cards())
def test_every_lennard_jones_solid_has_the_scale_of_experiment(model: str, registry: Registry) -> None:
    names = ["card", "elements", "lattice-constant", "bulk-modulus", "smooth-cutoff", "cutoff"]
    results = run_checks(subject_of(model, registry=registry), names)
    assert {r.name: r.message for r in results if r.status != "passed"} == {}


@pytest.mark.parametrize(("symbol", "measured_ang"), [("Ar", 5.26), ("Kr", 5.72), ("Xe", 6.20)])
def test_lennard_jones_fcc_minimum_is_at_the_lattice_sum(symbol: str, measured_ang: float, registry) -> None:
    """r = 1.0902 sigma and E = -8.61 epsilon with all neighbours (Ashcroft & Mermin, eqs. 20.8-20.9)."""
    epsilon, sigma = {"Ar": (0.0104, 3.40), "Kr": (0.0140, 3.65), "Xe": (0.0200, 3.98)}[symbol]
    a = 2**0.5 * 1.0902 * sigma
    assert a == pytest.approx(measured_ang, rel=0.02)
    atoms = bulk(symbol, a=a)
    # beyond 3 sigma, where the switching starts, are 3 % of the lattice sum
    assert energy_per_atom(registry, f"lj/{symbol.lower()}", atoms) == pytest.approx(
        -8.61 * epsilon, rel=0.04
    )


@pytest.mark.parametrize(
    ("model", "formula", "structure", "a_ang", "published_ev"),
    [
        ("tersoff/si", "Si", "diamond", 5.432, -4.6297),  # Phys. Rev. B 38, 9902, table II: 4.63
        ("tersoff/sic", "Si", "diamond", 5.432, -4.63),  # Phys. Rev. B 39, 5566: 4.63
        ("tersoff/sic", "C", "diamond", 3.566, -7.37),  # Phys. Rev. Lett. 61, 2879: 7.37
        ("tersoff/sic", "SiC", "zincblende", 4.32, -6.165),  # 12.33 eV a pair
    ],
)
def test_tersoff_has_the_published_cohesive_energy(
    model: str, formula: str, structure: str, a_ang: float, published_ev: float, registry: Registry
) -> None:
    atoms = bulk(formula, structure, a=a_ang)
    assert energy_per_atom(registry, model, atoms) == pytest.approx(published_ev, abs=2e-3)
    assert np.abs(atoms.get_stress()).max() < 2e-3


@pytest.mark.parametrize("seed", range(3))
def test_tersoff_is_the_one_of_ase_where_that_one_works(seed: int, registry: Registry) -> None:
    spec = registry.resolve("tersoff/sic")
    parameters = TersoffBackend().calculator(spec).parameters_by_triple
    theirs = Tersoff({key: TersoffParameters(*values) for key, values in parameters.items()})
    atoms = perturbed(spec.card, f"ase {seed}", n_species=2)
    atoms.symbols = np.random.default_rng(seed).permutation(atoms.get_chemical_symbols())
    found = TersoffCalculator(parameters)
    for name in ("energy", "forces", "stress"):
        assert np.allclose(
            found.get_property(name, atoms), theirs.get_property(name, atoms), rtol=1e-10, atol=1e-11
        )


def test_tersoff_dimer_works_where_ase_divides_by_zero() -> None:
    dimer = Atoms("Si2", positions=[[0, 0, 0], [2.3, 0, 0]])
    theirs = Tersoff({("Si", "Si", "Si"): TersoffParameters(*T3)})
    with pytest.raises(ZeroDivisionError):
        theirs.get_property("energy", dimer)
    # without a third atom b = 1: E = A exp(-lambda1 r) - B exp(-lambda2 r)
    expected = 1830.8 * np.exp(-2.4799 * 2.3) - 471.18 * np.exp(-1.7322 * 2.3)
    found = TersoffCalculator({("Si", "Si", "Si"): T3}).get_property("energy", dimer)
    assert found == pytest.approx(expected, rel=1e-12)


def test_tersoff_reads_the_users_file(tmp_path, registry: Registry) -> None:
    path = tmp_path / "Si.tersoff"
    path.write_text(SI_FILE)
    spec = registry.resolve(f"tersoff:{path}")
    calculator = build(TersoffBackend(), spec)
    assert calculator.card.elements == ("Si",)
    assert calculator.card.cutoff_ang == pytest.approx(3.0)
    atoms = bulk("Si", a=5.432)
    expected = energy_per_atom(registry, "tersoff/si", atoms.copy())
    atoms.calc = calculator
    assert atoms.get_potential_energy() / 2 == pytest.approx(expected, rel=1e-14)
    with pytest.raises(UnsupportedElementError, match="Ge"):
        calculator.get_property("energy", bulk("Ge"))
    results = run_checks(subject_of(f"tersoff:{path}", registry=registry), ["card", "forces", "cutoff"])
    assert {r.status for r in results} == {"passed"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "17 columns"),
        ("Si Si Si 1 2 3", "17 columns"),
        (SI_FILE.replace("2.85", "wide"), "could not convert"),
        (SI_FILE.replace("Si Si Si", "Si C C"), "no entry for"),
    ],
)
def test_a_file_without_tersoff_parameters_is_refused_with_the_reason(
    text: str, reason: str, tmp_path
) -> None:
    path = tmp_path / "Si.tersoff"
    path.write_text(text)
    with pytest.raises(ModelError, match=reason):
        read_lammps(path)


@pytest.mark.parametrize("family", ["emt", "lj"])
def test_families_without_files_refuse_a_path(family: str, registry: Registry) -> None:
    with pytest.raises(UsageError, match="reads no files"):
        registry.backend(family).item.calculator(ModelSpec(name=f"{family}:x", path="x"))


def test_emt_does_not_claim_the_elements_that_ase_warns_of(registry: Registry) -> None:
    assert not {"H", "C", "N", "O"} & set(registry.cards["emt/emt"].item.elements)


def test_built_ins_register_without_problems(registry: Registry) -> None:
    assert [p.problems for p in registry.plugins if p.name == "builtin:backends"] == [[]]
    assert {"emt/emt", "lj/ar", "tersoff/si"} <= registry.cards.keys()


@pytest.mark.parametrize(("model", "formula"), [("emt", "Cu"), ("tersoff/si", "Si")])
def test_numbers_do_not_depend_on_where_the_atoms_were_before(
    model: str, formula: str, registry: Registry
) -> None:
    """A resumed run equals an uninterrupted one to the last bit only if the model has no memory."""
    spec, random = registry.resolve(model), np.random.default_rng(0)
    backend = registry.backend(spec.family).item
    walked, atoms = build(backend, spec), bulk(formula, cubic=True) * 2
    for _ in range(12):
        atoms.positions += 0.05 * random.normal(size=atoms.positions.shape)
        walked.get_property("forces", atoms)
        fresh = build(backend, spec)
        for name in ("energy", "forces", "stress"):
            assert np.array_equal(walked.get_property(name, atoms), fresh.get_property(name, atoms))
