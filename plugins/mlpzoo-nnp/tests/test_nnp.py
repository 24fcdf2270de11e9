"""Reading n2p2's files: units, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ase import Atoms, units
from mlpzoo_nnp.backend import NnpBackend

import mlpzoo
from mlpzoo.errors import ModelError, UnsupportedElementError
from mlpzoo.hashing import file_sha256
from mlpzoo.models import ModelSpec
from mlpzoo.registry import default_registry
from mlpzoo.testing import CHECKS, Subject, run_checks
from mlpzoo.testing.verdict import judge

PHYSICAL = {"lattice-constant", "bulk-modulus"}
"""What random weights cannot promise."""


def own(folder: Path) -> ModelSpec:
    return ModelSpec(name=f"nnp:{folder}", path=str(folder))


@pytest.fixture(scope="module")
def subject(written: Callable[..., Path]) -> Subject:
    return Subject(backend=NnpBackend(), spec=own(written()))


@pytest.mark.parametrize("check", [check.name for check in CHECKS if check.name not in PHYSICAL])
def test_promises_of_the_kit(subject: Subject, check: str) -> None:
    judge(next(run_checks(subject, [check])), {})


def test_a_folder_is_a_model(written: Callable[..., Path], alloy: Callable[..., Atoms]) -> None:
    folder = written()
    calculator = mlpzoo.load(f"nnp:{folder}")
    assert calculator.card.elements == ("Si", "Ge")
    assert calculator.card.cutoff_ang == pytest.approx(10.0 * units.Bohr)
    assert "Lengths in bohr, energies in hartree, for want of a units.toml" in calculator.card.notes
    assert calculator.get_potential_energy(alloy()) != 0
    with pytest.raises(UnsupportedElementError, match="Cu"):
        calculator.calculate(Atoms("Cu"))


def test_a_file_of_the_folder_is_refused(written: Callable[..., Path]) -> None:
    """A result's key hashes what was named: input.nn alone would leave out the weights."""
    folder = written()
    with pytest.raises(ModelError, match="is a folder") as caught:
        mlpzoo.load(f"nnp:{folder / 'input.nn'}")
    assert caught.value.hint == f"give the folder: nnp:{folder}"
    spec = default_registry().resolve(f"nnp:{folder}")
    before = file_sha256(Path(str(spec.path)))
    weights = folder / "weights.014.data"
    weights.write_text(weights.read_text().replace("e-01", "e-02", 1))
    assert file_sha256(Path(str(spec.path))) != before


def test_units_can_be_said(written: Callable[..., Path], alloy: Callable[..., Atoms], tmp_path: Path) -> None:
    """The same numbers, taken for Å and eV, in a structure that is as much smaller."""
    folder = Path(shutil.copytree(written(), tmp_path / "same"))
    atoms = alloy()
    expected = mlpzoo.load(f"nnp:{folder}").get_potential_energy(atoms)
    forces = mlpzoo.load(f"nnp:{folder}").get_forces(atoms)
    (folder / "units.toml").write_text('length = "Angstrom"\nenergy = "eV"\n')
    atoms.set_cell(atoms.cell / units.Bohr, scale_atoms=True)
    calculator = mlpzoo.load(f"nnp:{folder}")
    assert calculator.get_potential_energy(atoms) == pytest.approx(expected / units.Hartree, rel=1e-12)
    assert calculator.get_forces(atoms) == pytest.approx(forces * units.Bohr / units.Hartree, rel=1e-9)
    assert "by units.toml" in calculator.card.notes


@pytest.mark.parametrize("text", ['length = "feet"', 'energy = "kcal"', "mass = 3", "length = bohr"])
def test_unknown_units_are_refused(written: Callable[..., Path], text: str) -> None:
    folder = written()
    (folder / "units.toml").write_text(text)
    with pytest.raises(ModelError, match=r"units\.toml") as caught:
        mlpzoo.load(f"nnp:{folder}")
    assert "length = one of bohr, angstrom" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("random_seed", "use_electrostatics", "line 16, use_electrostatics: this keyword is not supported"),
        ("random_seed 1", "cutof_type 1", "did you mean 'cutoff_type'"),
        ("random_seed 1", "cutoff_type 1", r"line 16, cutoff_type: also in line 6"),
        ("random_seed 1", "nnp_type 4G-HDNNP", "nnp_type: only short-range"),
        ("random_seed 1", "atom_energy Ge 1", "atom_energy: a second energy of Ge"),
        ("random_seed 1", "atom_energy Cu 1", "'Cu' is not among the elements Si Ge"),
        ("random_seed 1", "mean_energy 1", "mean_energy: needs all of mean_energy, conv_energy, conv_length"),
        ("random_seed 1", "scale_symmetry_functions_sigma", "cannot be combined"),
        ("random_seed 1", "element_nodes_short Ge 3 5", "there is no hidden layer 3"),
        ("cutoff_type 1", "cutoff_type 9", "line 6, cutoff_type: type 9 is not among 0, 1"),
        ("cutoff_type 1", "cutoff_type 1 1.0", "the inner radius 1 is not"),
        ("cutoff_type 1", "cutoff_type one", "could not convert string to float: 'one'"),
        ("cutoff_type 1", "", "there is no line with cutoff_type"),
        ("number_of_elements 2", "number_of_elements 3", "elements: Ge Si are not 3 elements"),
        ("elements Ge Si", "elements Ge Xx", "'Xx' is no chemical symbol"),
        ("t p l", "t q l", "'q' is not among l t s"),
        ("t p l", "t t", "2 letters for 2 hidden layers and the output"),
        ("t p l", "t t t", "the output is 't'"),
        ("nodes_short 5 4", "nodes_short 5", "1 numbers for 2 hidden layers"),
        ("nodes_short 5 4", "nodes_short 5 0", "a layer without nodes"),
        ("Si  2 Ge", "Si 20 Ge", "symfunction_short: type 20 is not among 2, 3, 9, 12, 13"),
        ("Si  2 Ge", "Si 2 Cu", "'Cu' is not among the elements"),
        ("Si  2 Ge     0.05 0.0 10.0", "Si 2 Ge 0.05 10.0", "type 2 takes 1 elements and eta, shift, radius"),
        ("Si  2 Ge     0.05 0.0 10.0", "Si 2 Ge 0.05 10.0 0.0", "the cutoff radius is 0"),
        ("Si 12  ", "Si 12 Ge", "could not convert"),
        ("scale_symmetry_functions\n", "scale_symmetry_functions 1\n", "takes no arguments"),
    ],
)
def test_what_input_nn_must_not_say(written: Callable[..., Path], old: str, new: str, message: str) -> None:
    folder = written()
    text = (folder / "input.nn").read_text()
    assert old in text
    (folder / "input.nn").write_text(text.replace(old, new))
    with pytest.raises(ModelError) as caught:
        mlpzoo.load(f"nnp:{folder}")
    assert "input.nn" in caught.value.message
    assert message in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("scaling.data", lambda text: text.replace("\n1 3 ", "\n1 4 "), "are 1 4 instead of 1 3"),
        ("scaling.data", lambda text: "\n".join(text.splitlines()[:-2]), "are nothing instead of 2 4"),
        ("scaling.data", lambda text: text.replace("\n2 4 ", "\n2 4 x"), "could not convert"),
        ("scaling.data", lambda text: text.replace("\n2 4 ", "\n2 4 1 "), "a line of 7 columns"),
        ("scaling.data", lambda text: "1 1 0.5 0.5 0.5\n" + "\n".join(text.splitlines()[2:]), "range of function 1"),
        ("scaling.data", None, "cannot be read"),
        ("weights.032.data", lambda text: text + "\n1.0", "holds 37 numbers, a network of 4-3-4-1"),
        ("weights.032.data", lambda text: text.replace(" a ", " b ", 1), "another order"),
        ("weights.032.data", lambda _: "none", "could not convert"),
        ("weights.014.data", None, "cannot be read"),
        ("input.nn", None, "cannot be read"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused(
    written: Callable[..., Path], name: str, change: Callable[[str], str] | None, message: str
) -> None:
    path = written() / name
    path.write_text(change(path.read_text())) if change else path.unlink()
    with pytest.raises(ModelError, match=name) as caught:
        mlpzoo.load(f"nnp:{path.parent}")
    assert message in caught.value.message
    assert caught.value.hint


def test_two_columns_less_are_enough_for_old_files(written: Callable[..., Path]) -> None:
    """RuNNer's scaling.data has no sigma, and its weights need not say what they are."""
    folder = written()
    expected = mlpzoo.load(f"nnp:{folder}").get_potential_energy(Atoms("SiGe", [[0, 0, 0], [0, 0, 2.4]]))
    scaling, weights = folder / "scaling.data", folder / "weights.014.data"
    rows = [line.split() for line in scaling.read_text().splitlines()[1:]]
    scaling.write_text("\n".join(" ".join(row[:5]) for row in rows))
    weights.write_text("\n".join(line.split()[0] for line in weights.read_text().splitlines()[1:]))
    found = mlpzoo.load(f"nnp:{folder}").get_potential_energy(Atoms("SiGe", [[0, 0, 0], [0, 0, 2.4]]))
    assert found == expected
    text = (folder / "input.nn").read_text()
    (folder / "input.nn").write_text(text.replace("symmetry_functions\n", "symmetry_functions_sigma\n"))
    with pytest.raises(ModelError, match="sigma of function 1 of Si is nan"):
        mlpzoo.load(f"nnp:{folder}")
