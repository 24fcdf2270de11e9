"""``crystal.toml`` and ``references.toml``: what is wrong in them is named with file and entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlpzoo.benchmark import Quantity
from mlpzoo.benchmarks.crystals import crystal_cases
from mlpzoo.cli.data_fetch import verify
from mlpzoo.data import builtin, tomltext
from mlpzoo.data.crystal import (
    CRYSTAL_NAME,
    REFERENCES_NAME,
    ReferenceValue,
    read_crystal,
    read_references,
    write_references,
)
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.errors import DataError

CRYSTAL = """
schema = "mlpzoo.crystal/1"
name = "w-crystal"
title = "Tungsten, bcc"
system = "w"
symbol = "W"
structure = "bcc"
lattice_constant_ang = 3.165
melting_temperature_kelvin = 3695.0
diffusion_temperatures_kelvin = [2500.0, 2900.0, 3300.0]
licence = "CC0-1.0"
citation = "a handbook"
"""
REFERENCES = """
schema = "mlpzoo.references/1"

[[references]]
benchmark = "bulk"
case = "w"
quantity = "lattice_constant"
value = 3.18
unit = "Å"
level_of_theory = "PBE"
source = "10.0000/pbe"

[[references]]
benchmark = "bulk"
case = "w"
quantity = "lattice_constant"
value = 3
unit = "Å"
level_of_theory = "experiment"
source = "10.0000/experiment"
note = "at 0 K"

[[references]]
benchmark = "vacancy-formation"
case = "w-vacancy"
quantity = "vacancy_formation"
value = 3.3
unit = "eV"
level_of_theory = "PBE"
source = "10.0000/pbe"
"""
LENGTH = Quantity(name="lattice_constant", unit="Å", title="a", better="closer")
REMOVED = "-"
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make(CRYSTAL_NAME, old, new)``: a directory of tungsten with a change in one of its files."""

    def write(name: str = "", old: str = "", new: str = "") -> Path:
        for file, text in ((CRYSTAL_NAME, CRYSTAL), (REFERENCES_NAME, REFERENCES)):
            changed = text
            if file == name:
                assert old in text
                line = next(line for line in text.splitlines() if old in line)
                changed = text.replace(line, "", 1) if new == REMOVED else text.replace(old, new, 1)
            (tmp_path / file).write_text(changed, encoding="utf-8")
        return tmp_path

    return write


def test_a_crystal_is_a_data_set_and_a_case(make: Make) -> None:
    spec = DatasetSpec.from_directory(make())
    assert (spec.name, spec.kind, spec.system, spec.elements) == ("w-crystal", "crystal", "w", ("W",))
    assert spec.n_frames == 0
    (case,) = crystal_cases([spec], benchmark="bulk", quantities=[LENGTH])
    assert (case.name, case.system, case.elements, case.title) == ("w", "w", ("W",), "Tungsten, bcc")
    assert case.params["diffusion_temperatures_kelvin"] == [2500.0, 2900.0, 3300.0]
    assert [(r.value, r.level_of_theory, r.source) for r in case.references] == [
        (3.18, "PBE", "10.0000/pbe"),
        (3.0, "experiment", "10.0000/experiment; at 0 K"),
    ]
    with pytest.raises(DataError, match="'w-crystal' is a crystal: it has no frames"):
        spec.load()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mlpzoo.crystal/1", "mlpzoo.crystal/9", "schema is 'mlpzoo.crystal/9', this mlpzoo reads"),
        ("schema", REMOVED, "schema is None"),
        ('name = "w-crystal"', "name = w-crystal", "not valid TOML"),
        ("symbol", REMOVED, "missing required field `symbol`"),
        ("symbol", "symbols", "unknown key 'symbols'"),
        ('"W"', "74", "`str`, got `int` - at `$.symbol`"),
        ('"bcc"', '"hcp"', "structure is 'hcp'"),
        ("3.165", '"3.165"', "`float`, got `str` - at `$.lattice_constant_ang`"),
        ("3.165", "0.0", "must be positive"),
        ("3.165", "nan", "must be positive"),
        ("3695.0", "-1", "must be positive"),
        ("[2500.0, 2900.0, 3300.0]", "[2500.0, 2900.0]", "diffusion_temperatures_kelvin"),
        ("[2500.0, 2900.0, 3300.0]", "[2500.0, 3300.0, 2900.0]", "diffusion_temperatures_kelvin"),
        ("[2500.0, 2900.0, 3300.0]", "[2500.0, 2500.0, 2900.0]", "diffusion_temperatures_kelvin"),
        ("[2500.0, 2900.0, 3300.0]", "2500.0", "diffusion_temperatures_kelvin"),
    ],
)
def test_what_is_wrong_in_crystal_toml_is_named(make: Make, old: str, new: str, message: str) -> None:
    path = make(CRYSTAL_NAME, old, new) / CRYSTAL_NAME
    with pytest.raises(DataError) as caught:
        read_crystal(path)
    assert caught.value.message.startswith(str(path))
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mlpzoo.references/1", "mlpzoo.references/2", "schema is 'mlpzoo.references/2'"),
        ("value = 3.18", "value = 3,18", "not valid TOML"),
        ("value = 3.18", REMOVED, "reference 1: Object missing required field `value`"),
        ("value = 3.18", 'value = "3.18"', "reference 1: Expected `float`, got `str` - at `$.value`"),
        ("value = 3.18", "value = nan", "bulk · w · lattice_constant · PBE: value is nan"),
        ("value = 3.18", "value = inf", "bulk · w · lattice_constant · PBE: value is inf"),
        ("note", "remark", "reference 2: unknown key 'remark'"),
        ('"10.0000/pbe"', '" "', "bulk · w · lattice_constant · PBE has no source"),
        ('"experiment"', '"PBE"', "bulk · w · lattice_constant · PBE is there twice"),
        ("[[references]]", "[references]", "not valid TOML"),
        ("[[references]]", "[[reference]]", "unknown key 'reference'"),
    ],
)
def test_what_is_wrong_in_references_toml_is_named(make: Make, old: str, new: str, message: str) -> None:
    directory = make(REFERENCES_NAME, old, new)
    with pytest.raises(DataError) as caught:
        read_references(directory / REFERENCES_NAME)
    assert caught.value.message.startswith(str(directory / REFERENCES_NAME))
    assert message in caught.value.message
    assert caught.value.hint
    with pytest.raises(DataError):
        DatasetSpec.from_directory(directory)


def test_one_table_of_references_is_no_list_of_them(make: Make) -> None:
    path = make() / REFERENCES_NAME
    path.write_text('schema = "mlpzoo.references/1"\n[references]\nvalue = 1.0\n')
    with pytest.raises(DataError, match=r"references\.toml: 'references' is no list"):
        read_references(path)


@pytest.mark.parametrize(("old", "new"), [('"Å"', '"nm"'), ("lattice_constant", "lattice_constants")])
def test_a_reference_in_another_unit_or_of_an_unknown_quantity_is_refused(
    make: Make, old: str, new: str
) -> None:
    directory = make(REFERENCES_NAME, old, new)
    with pytest.raises(DataError, match="bulk · w: lattice_constant") as caught:
        crystal_cases([DatasetSpec.from_directory(directory)], benchmark="bulk", quantities=[LENGTH])
    assert str(directory / REFERENCES_NAME) in caught.value.message
    assert "'lattice_constant': 'Å'" in caught.value.hint


def test_references_of_other_benchmarks_are_not_looked_at(make: Make) -> None:
    spec = DatasetSpec.from_directory(make())
    energy = Quantity(name="vacancy_formation", unit="eV", title="E", better="closer")
    (case,) = crystal_cases([spec], benchmark="vacancy-formation", quantities=[energy], suffix="vacancy")
    assert [r.value for r in case.references] == [3.3]
    (other,) = crystal_cases([spec], benchmark="vacancy-formation", quantities=[energy], suffix="void")
    assert other.references == ()


def test_a_crystal_needs_no_references(make: Make) -> None:
    directory = make()
    (directory / REFERENCES_NAME).unlink()
    (case,) = crystal_cases(
        [DatasetSpec.from_directory(directory)], benchmark="bulk", quantities=[LENGTH], defect="none"
    )
    assert case.references == ()
    assert case.params["defect"] == "none"


def test_a_crystal_that_cannot_be_read_is_a_case_that_says_so() -> None:
    broken = DatasetSpec(name="w-crystal", kind="crystal", system="w", elements=("W",), problem="no such key")
    (case,) = crystal_cases([broken], benchmark="bulk", quantities=[LENGTH])
    assert (case.name, case.unavailable) == ("w", "no such key")


# -- writing ---------------------------------------------------------------------------------------------

NEW = ReferenceValue(
    benchmark="bulk", case="w", quantity="lattice_constant", value=1 / 3, unit="Å", level_of_theory="PBE",
    source="mlpzoo reference bulk --system w", note='a "note" with Å',
)  # fmt: skip


def test_a_written_value_replaces_only_the_one_of_its_level(make: Make) -> None:
    path = make() / REFERENCES_NAME
    old = {(v.benchmark, v.case, v.quantity, v.level_of_theory): v for v in read_references(path)}
    write_references(path, [NEW, replace(NEW, quantity="bulk_modulus", unit="GPa")])
    found = {(v.benchmark, v.case, v.quantity, v.level_of_theory): v for v in read_references(path)}
    assert found.pop(("bulk", "w", "lattice_constant", "PBE")) == NEW
    assert found.pop(("bulk", "w", "bulk_modulus", "PBE")).unit == "GPa"
    old.pop(("bulk", "w", "lattice_constant", "PBE"))
    assert found == old


def test_a_file_is_made_and_writing_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / REFERENCES_NAME
    write_references(path, [NEW])
    once = path.read_bytes()
    write_references(path, [NEW])
    assert path.read_bytes() == once
    assert read_references(path) == (NEW,)


def test_a_damaged_file_is_not_written_over(make: Make) -> None:
    path = make(REFERENCES_NAME, "value = 3.18", "value = 3,18") / REFERENCES_NAME
    before = path.read_bytes()
    with pytest.raises(DataError, match="not valid TOML"):
        write_references(path, [NEW])
    assert path.read_bytes() == before


# -- what comes with mlpzoo ------------------------------------------------------------------------------


def test_embedded_crystals_are_read_and_their_references_are_of_known_quantities() -> None:
    from mlpzoo.registry import default_registry

    registry = default_registry()
    known = {
        (name, q.name): (q.unit, q.better)
        for name, entry in registry.benchmarks.items()
        for q in entry.item.quantities
    }
    cases = {(name, c.name) for name, e in registry.benchmarks.items() for c in registry.cases(e.item)}
    crystals = [d for d in builtin.mlpzoo_register_datasets() if d.kind == "crystal"]
    assert {d.system for d in crystals} >= {"si", "cu", "al", "ni"}
    for dataset in crystals:
        assert dataset.problem == ""
        assert dataset.directory is not None
        for value in read_references(dataset.directory / REFERENCES_NAME):
            assert (value.benchmark, value.case) in cases, value
            assert known[value.benchmark, value.quantity] == (value.unit, "closer"), value
            assert math.isfinite(value.value)
            assert value.level_of_theory.strip()
        text = (dataset.directory / REFERENCES_NAME).read_text(encoding="utf-8")
        assert tomltext.dumps(tomltext.loads(text)) == text, "written by hand: sort it with write_references"


def test_verify_shows_a_crystal_with_its_references(make: Make) -> None:
    found = CliRunner().invoke(verify, [str(make())], catch_exceptions=False)
    lines = found.output.splitlines()
    assert lines[0] == "w-crystal: Tungsten, bcc"
    wanted = "bulk · w: lattice_constant = 3.18 Å, PBE, 10.0000/pbe (no such case here)"
    assert f"  reference  {wanted}" in lines
    assert lines[-1] == "  valid"
    found = CliRunner().invoke(verify, ["si-crystal"], catch_exceptions=False)
    assert "no such" not in found.output, "every embedded reference is of a case"


def test_verify_refuses_another_unit(make: Make) -> None:
    with pytest.raises(DataError, match=r"references\.toml: bulk · w: lattice_constant in 'nm'"):
        CliRunner().invoke(
            verify, [str(make(REFERENCES_NAME, 'unit = "Å"', 'unit = "nm"'))], catch_exceptions=False
        )


@pytest.mark.parametrize("system", ["al", "cu", "ni"])
def test_embedded_references_are_of_known_cases(system: str) -> None:
    found = CliRunner().invoke(verify, [f"{system}-crystal"], catch_exceptions=False)
    assert found.output.endswith("  valid\n")
    assert "no such" not in found.output
