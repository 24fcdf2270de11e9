"""``mlpzoo.load``: one calculator, the same wherever its framework lives."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import zoo_harness as harness
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.optimize import BFGS

import mlpzoo
from mlpzoo.calculator import ZooCalculator
from mlpzoo.errors import BadNumberError, UnsupportedElementError, UsageError, WorkerError
from mlpzoo.registry import Registry
from mlpzoo.remote import RemoteCalculator

TOLERANCE = 1e-10
"""The same code computes in both places, and binary numbers travel: any difference is a mistake."""


def rattled(symbol: str = "Cu", seed: int = 0) -> Atoms:
    """A small periodic crystal with forces and a sheared cell."""
    atoms = bulk(symbol, cubic=True)
    atoms.rattle(0.1, seed=seed)
    atoms.set_cell(
        atoms.cell[:] @ np.array([[1.0, 0.02, 0.0], [0.0, 1.01, 0.0], [0.0, 0.0, 1.0]]), scale_atoms=True
    )
    return atoms


def worker_of(calculator: ZooCalculator) -> int:
    """Process id of its worker."""
    assert isinstance(calculator.inner, RemoteCalculator)
    return calculator.inner._worker.pid


@pytest.fixture(scope="module")
def known() -> Registry:
    """Built-ins and the fixture plugins."""
    return harness.registry_of("zoo_toys", "zoo_shifted")


@pytest.fixture(scope="module")
def remote(known: Registry) -> Iterator[ZooCalculator]:
    """EMT in a worker, shared."""
    calculator = mlpzoo.load("emt", isolate="always", registry=known)
    yield calculator
    calculator.inner.close()


@pytest.fixture
def here(known: Registry) -> ZooCalculator:
    """EMT in this process."""
    return mlpzoo.load("emt", registry=known)


# -- the same numbers --------------------------------------------------------------------------------


def test_isolation_changes_where_and_not_what(remote: ZooCalculator, here: ZooCalculator) -> None:
    assert not isinstance(here.inner, RemoteCalculator)
    assert harness.is_running(worker_of(remote))
    assert worker_of(remote) != os.getpid()
    assert remote.card == here.card
    assert remote.implemented_properties == here.implemented_properties
    assert remote.name == here.name == "emt/emt"


def mixed() -> Atoms:
    """Copper with an aluminium atom."""
    atoms = rattled()
    atoms.symbols[2] = "Al"
    return atoms


def molecule() -> Atoms:
    """Not periodic, no cell."""
    return Atoms("CuAl", [(0.0, 0.0, 0.0), (0.3, 0.2, 2.2)])


def slab() -> Atoms:
    """Periodic in two directions."""
    atoms = rattled()
    atoms.pbc = (True, True, False)
    return atoms


@pytest.mark.parametrize("make", [rattled, mixed, slab, molecule])
def test_numbers_are_the_same_here_and_in_a_worker(
    remote: ZooCalculator, here: ZooCalculator, make: Callable[[], Atoms]
) -> None:
    found = {}
    for name, calculator in (("remote", remote), ("here", here)):
        atoms = make()
        atoms.calc = calculator
        stress = atoms.get_stress() if atoms.pbc.all() else np.zeros(6)
        found[name] = (atoms.get_potential_energy(), atoms.get_forces(), stress)
    for one, other in zip(*found.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0.0, atol=TOLERANCE)
    assert np.abs(found["here"][1]).max() > 0.01


def test_each_structure_gets_its_own_numbers_in_any_order(remote: ZooCalculator, here: ZooCalculator) -> None:
    """rootstock 0.4 gave the second structure of the same size the energy of the first."""
    structures = [rattled("Cu"), rattled("Al"), rattled("Cu", seed=1), rattled("Cu"), mixed()]
    energies = [remote.get_property("energy", atoms) for atoms in structures]
    assert energies == pytest.approx(
        [here.get_property("energy", atoms) for atoms in structures], abs=TOLERANCE
    )
    assert len(set(energies)) == 4


def test_structure_is_not_computed_twice(remote: ZooCalculator) -> None:
    atoms = rattled(seed=3)
    before = remote.n_evaluations
    remote.get_property("forces", atoms)
    remote.get_property("energy", atoms)
    remote.get_property("energy", atoms.copy())
    assert remote.n_evaluations == before + 1
    atoms.positions[0, 0] += 1e-6
    remote.get_property("energy", atoms)
    assert remote.n_evaluations == before + 2


def test_caller_may_change_what_it_got(remote: ZooCalculator) -> None:
    atoms = rattled(seed=4)
    atoms.calc = remote
    forces = atoms.get_forces()
    forces += 1.0
    np.testing.assert_allclose(atoms.get_forces(), forces - 1.0, atol=1e-12)


def test_relaxation_with_a_remote_calculator_ends_where_the_local_one_does(
    remote: ZooCalculator, here: ZooCalculator
) -> None:
    ends = []
    for calculator in (remote, here):
        atoms = rattled(seed=5)
        atoms.calc = calculator
        optimizer = BFGS(atoms, logfile=None)
        assert optimizer.run(fmax=0.01, steps=50)
        ends.append(atoms)
    np.testing.assert_allclose(ends[0].positions, ends[1].positions, rtol=0.0, atol=1e-8)
    assert np.abs(ends[0].get_forces()).max() < 0.01


# -- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("isolate", ["always", "never"])
def test_property_that_the_card_does_not_declare_is_not_implemented(
    known: Registry, remote: ZooCalculator, isolate: str
) -> None:
    calculator = remote if isolate == "always" else mlpzoo.load("emt", registry=known)
    before = calculator.n_evaluations
    for name in ("dipole", "magmoms", "charges"):
        with pytest.raises(PropertyNotImplementedError):
            calculator.get_property(name, rattled())
    assert calculator.n_evaluations == before


def test_model_without_energies_has_no_energy(known: Registry) -> None:
    calculator = mlpzoo.load("shifted/forces-only", registry=known)
    assert calculator.implemented_properties == ["forces"]
    atoms = rattled()
    atoms.calc = calculator
    assert atoms.get_forces().shape == (4, 3)
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_potential_energy()


def test_element_that_the_model_does_not_know_is_named(remote: ZooCalculator) -> None:
    with pytest.raises(UnsupportedElementError, match=r"emt/emt does not know Si; it knows .*Cu") as caught:
        remote.get_property("energy", bulk("Si"))
    assert "mlpzoo models" in caught.value.hint
    assert remote.get_property("energy", rattled()) is not None


@pytest.fixture(scope="module")
def nan(known: Registry) -> Iterator[ZooCalculator]:
    """A model whose forces are not numbers, in a worker."""
    calculator = mlpzoo.load("toy/nan", isolate="always", registry=known)
    yield calculator
    calculator.inner.close()


@pytest.mark.parametrize("isolate", ["always", "never"])
def test_non_finite_result_keeps_its_error_type(known: Registry, nan: ZooCalculator, isolate: str) -> None:
    calculator = nan if isolate == "always" else mlpzoo.load("toy/nan", isolate="never", registry=known)
    for _ in range(2):  # an error is not cached as a result, and does not end the worker
        with pytest.raises(
            BadNumberError, match="toy/nan returned a non-finite forces on atom 0 for 4 atoms"
        ) as caught:
            calculator.get_property("energy", rattled())
    assert "trained on" in caught.value.hint
    assert calculator.results == {}


def test_exception_of_the_framework_comes_with_its_traceback_and_only_close_ends_the_worker(
    known: Registry,
) -> None:
    calculator = mlpzoo.load("toy/raises", isolate="always", registry=known)
    with pytest.raises(WorkerError, match="ValueError: a defect in the framework") as caught:
        calculator.get_property("energy", rattled())
    assert "zoo_toys.py" in caught.value.remote_traceback
    assert "in misbehave" in caught.value.remote_traceback
    pid = worker_of(calculator)
    assert harness.is_running(pid)
    for _ in range(2):  # closing twice does nothing more
        calculator.inner.close()
        assert not harness.is_running(pid)
    with pytest.raises(WorkerError):
        calculator.get_property("energy", rattled(seed=1))


def test_model_that_cannot_be_loaded_says_why_and_leaves_no_process(known: Registry) -> None:
    before = set(harness.children_of(os.getpid()))
    with pytest.raises(WorkerError, match="RuntimeError: these weights are of another version") as caught:
        mlpzoo.load("toy/no-load", isolate="always", registry=known)
    assert caught.value.stderr_tail == "the framework says why"
    assert "in calculator" in caught.value.remote_traceback
    assert set(harness.children_of(os.getpid())) == before


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nothing", "unknown model family 'nothing'", "mlpzoo models"),
        ("toy/goood", "family 'toy' has no model 'goood'", "'toy/good'"),
    ],
)
def test_unknown_name_is_a_usage_error(known: Registry, name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        mlpzoo.load(name, registry=known)
    assert hint in caught.value.hint


FAR = """
from mlpzoo import ModelCard, hookimpl

class Backend:
    family = "far"
    requires = ("json", "no_such_framework")
    lock_file = None
    def cards(self):
        return [ModelCard(name="far/one", family="far", elements=(), properties=("energy",))]
    def calculator(self, spec):
        import no_such_framework

@hookimpl
def mlpzoo_register_backends():
    return [Backend()]
"""


@pytest.fixture
def far() -> Registry:
    """A family whose framework is not installed, and that has no lock file."""
    module = ModuleType("far_plugin")
    exec(FAR, module.__dict__)
    return harness.registry_of(module)


def test_framework_that_is_nowhere_is_a_usage_error_with_a_hint(far: Registry) -> None:
    with pytest.raises(UsageError, match="no_such_framework") as caught:
        mlpzoo.load("far", registry=far)
    assert "install" in caught.value.hint


def test_never_isolated_and_not_importable_is_a_usage_error_with_a_hint(far: Registry) -> None:
    with pytest.raises(UsageError, match="no_such_framework cannot be imported here") as caught:
        mlpzoo.load("far", isolate="never", registry=far)
    assert "install it" in caught.value.hint
    assert "json" not in caught.value.message, "json can be imported"


# -- the end of a worker -----------------------------------------------------------------------------


def test_killed_worker_is_an_error_on_each_later_call_and_never_a_hang(known: Registry) -> None:
    calculator = mlpzoo.load("toy/good", isolate="always", registry=known)
    atoms = rattled()
    calculator.get_property("energy", atoms)
    pid = worker_of(calculator)
    os.kill(pid, signal.SIGKILL)
    for seed in (1, 2):
        with pytest.raises(WorkerError, match=r"killed by SIGKILL") as caught:
            calculator.get_property("energy", rattled(seed=seed))
        assert caught.value.remote_traceback == ""
    assert not harness.is_running(pid)


def test_worker_ends_when_the_calculator_is_garbage(known: Registry) -> None:
    calculator = mlpzoo.load("toy/good", isolate="always", registry=known)
    atoms = rattled()
    atoms.calc = calculator
    atoms.get_potential_energy()
    pid, alive = worker_of(calculator), weakref.ref(calculator)
    del calculator, atoms
    gc.collect()
    assert alive() is None
    assert not harness.is_running(pid)


SCRIPT = """
import mlpzoo
from ase import Atoms
atoms = Atoms("Cu2", [(0, 0, 0), (0, 0, 2.5)])
atoms.calc = mlpzoo.load("toy/chatty", isolate="always")
energy = atoms.get_potential_energy()
print(atoms.calc.inner._worker.pid, energy, flush=True)
raise RuntimeError("a slip of the user's")
"""


def test_worker_ends_with_the_users_script_even_if_that_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=harness.environment(tmp_path), capture_output=True, text=True, timeout=harness.PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()  # the model's own noise is not on stdout
    assert not harness.is_running(int(line.split()[0]))
    assert "Exception ignored" not in done.stderr
    assert done.stderr.splitlines()[-1] == "RuntimeError: a slip of the user's"


def test_default_registry_is_that_of_the_installed_plugins(
    monkeypatch: pytest.MonkeyPatch, known: Registry
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("mlpzoo.api.default_registry", lambda: asked.append(1) or known)
    assert mlpzoo.load("toy").card.name == "toy/good"
    assert asked == [1]
