"""What is a potential and what is refused; needs no LAMMPS."""

from pathlib import Path

import pytest
from mlpzoo_lammps.backend import LammpsBackend
from mlpzoo_lammps.potential import parse_potential, read_potential
from mlpzoo_lammps.shipped import SHIPPED

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelSpec

SW = "pair_style sw\npair_coeff * * Si.sw Si\n"


@pytest.fixture
def potentials(tmp_path):
    """A folder as the wheel's, with a few empty files."""
    folder = tmp_path / "share" / "potentials"
    folder.mkdir(parents=True)
    for name in ("Si.sw", "library.meam", "W.snapcoeff", "W.snapparam"):
        (folder / name).touch()
    return folder


def test_every_card_has_its_lines_and_its_elements():
    cards = {card.name: card for card in LammpsBackend().cards()}
    assert next(iter(cards)) == "lammps/si-snap"
    assert cards.keys() == SHIPPED.keys()
    for name, text in SHIPPED.items():
        assert parse_potential(text, name).elements == cards[name].elements


@pytest.mark.parametrize(
    ("lines", "elements"),
    [
        ("pair_style tersoff\npair_coeff * * SiC.tersoff Si C", ("Si", "C")),
        ("pair_style meam\npair_coeff * * library.meam Si C SiC.meam C Si", ("C", "Si")),
        ("pair_style meam\npair_coeff * * library.meam Si NULL Si", ("Si",)),
        ("pair_style mliap model linear T.model descriptor sna T.descriptor\npair_coeff * * Ta", ("Ta",)),
        ("pair_style hybrid/overlay zbl 4 4.8 snap\npair_coeff 1 1 zbl 74 74\npair_coeff * * snap W.snapcoeff W.snapparam W", ("W",)),
        ("pair_style hybrid sw sw\npair_coeff * * sw 1 Si.sw Si NULL\npair_coeff * * sw 2 Ge.sw NULL Ge", ("Si", "Ge")),
        ("labelmap atom 1 Cu 2 Ni\npair_style eam\npair_coeff 1 1 Cu_u3.eam\npair_coeff 2 2 Ni_u3.eam", ("Cu", "Ni")),
        ("units metal # eV\nmass 1 28.0855\npair_style &\n sw\npair_coeff * * & # the file\n Si.sw Si", ("Si",)),
    ],
)  # fmt: skip
def test_elements_are_those_of_the_pair_coeff_lines(lines, elements):
    assert parse_potential(lines, "mine").elements == elements


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (f"{SW}shell rm -r x", "command 'shell' is refused"),
        (f"{SW}include other", "command 'include' is refused"),
        (f"jump x\n{SW}", "command 'jump' is refused"),
        (f"{SW}print text append x", "command 'print' is refused"),
        (f"variable x python f\n{SW}", "command 'variable' is refused"),
        ("pair_style sw\npair_coeff * * ${x} Si", "'[$]' is no part"),
        ("pair_style sw\npair_coeff * * `x` Si", "'`' is no part"),
        ("pair_style sw\npair_coeff * * x|y.gz Si", "is no part"),
        ('pair_style sw\npair_coeff * * "x\ny" Si', "is no part"),
        ("pair_style sw\x1b[2J\npair_coeff * * x Si", "is no part"),
        ("pair_style python 5.0\npair_coeff * * my.Potential Si", "runs Python code"),
        ("pair_style mliap unified my.pkl\npair_coeff * * Si", "runs Python code"),
        (f"units real\n{SW}", "units are real"),
        ("pair_style sw", "no pair_coeff line"),
        ("pair_coeff * * Si.sw Si", "no pair_style line"),
        (f"{SW}pair_style sw", "not one 'pair_style'"),
        ("pair_style eam\npair_coeff 1 1 Cu_u3.eam", "which element each atom type is"),
        ("pair_style sw\npair_coeff * * Si.sw Si Si", "two atom types are one element"),
        ("pair_style hybrid sw tersoff\npair_coeff * * sw a.sw Si C\npair_coeff * * tersoff b.tersoff C", "name 2 and 1 elements"),
        ("pair_style hybrid sw tersoff\npair_coeff * * sw a.sw Si\npair_coeff * * tersoff b.tersoff C", "atom type 1 is C and Si"),
        ("pair_style sw\npair_coeff * * Si.sw NULL Si", "atom type 1 is no element"),
        ("labelmap atom 2 Cu\npair_style eam\npair_coeff 1 1 Cu_u3.eam", "cannot read 'labelmap"),
        ("labelmap atom 1 Xx\npair_style eam\npair_coeff 1 1 Cu_u3.eam", "'Xx' is no chemical symbol"),
    ],
)  # fmt: skip
def test_anything_but_a_potential_is_refused(lines, reason):
    with pytest.raises(ModelError, match=reason) as caught:
        parse_potential(lines, "mine")
    assert caught.value.hint


def test_files_are_looked_up_beside_the_file_first(tmp_path, potentials):
    potential = parse_potential(SW, "mine")
    assert potential.commands([tmp_path, potentials]) == [
        "pair_style sw", f"pair_coeff * * {potentials / 'Si.sw'} Si"
    ]  # fmt: skip
    (tmp_path / "Si.sw").touch()
    assert potential.commands([tmp_path, potentials])[1] == f"pair_coeff * * {tmp_path / 'Si.sw'} Si"


def test_files_are_not_looked_up_in_the_working_directory(tmp_path, potentials, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "mine.sw").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"no file mine\.sw") as caught:
        parse_potential(SW.replace("Si.sw", "mine.sw"), "x").commands([tmp_path / "other", potentials])
    assert caught.value.hint


def test_names_of_styles_and_elements_are_no_files(tmp_path, potentials):
    for name in ("Si", "zbl", "W"):
        (tmp_path / name).touch()
    lines = "pair_style hybrid/overlay zbl 4 4.8 snap\npair_coeff 1 1 zbl 74 74\n"
    potential = parse_potential(f"{lines}pair_coeff * * snap W.snapcoeff W.snapparam W", "w")
    assert potential.commands([tmp_path, potentials]) == [
        *lines.splitlines(),
        f"pair_coeff * * snap {potentials / 'W.snapcoeff'} {potentials / 'W.snapparam'} W",
    ]


def test_files_of_the_pair_style_line_are_looked_up_too(tmp_path):
    for name in ("T.model", "T.descriptor"):
        (tmp_path / name).touch()
    lines = "pair_style mliap model linear T.model descriptor sna T.descriptor\npair_coeff * * Ta"
    style, _ = parse_potential(lines, "ta").commands([tmp_path])
    assert style == f"pair_style mliap model linear {tmp_path}/T.model descriptor sna {tmp_path}/T.descriptor"


def test_a_path_that_lammps_would_misread_is_refused(tmp_path):
    folder = tmp_path / "a$b"
    folder.mkdir()
    (folder / "Si.sw").touch()
    with pytest.raises(ModelError, match="cannot be given the path"):
        parse_potential(SW, "mine").commands([folder])


def test_a_missing_or_binary_file_is_no_potential(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.lmp", tmp_path / "binary", tmp_path):
        with pytest.raises(ModelError, match="no potential"):
            read_potential(Path(path))


def test_own_file_is_described_without_lammps(tmp_path):
    path = tmp_path / "my potential.lmp"
    path.write_text("pair_style tersoff\npair_coeff * * SiC.tersoff Si C\n")
    card = LammpsBackend().describe(ModelSpec(name=f"lammps:{path}", path=str(path)))
    assert card.elements == ("Si", "C")
    assert card.properties == ("energy", "forces", "stress")


def test_side_files_are_those_of_the_users_own_that_the_lines_name(tmp_path):
    for name in ("Si.sw", "mine.snapcoeff", "other.snapcoeff"):
        (tmp_path / name).touch()
    model = tmp_path / "model.lmp"
    model.write_text("pair_style hybrid/overlay snap sw\npair_coeff * * snap mine.snapcoeff wheel.snapparam Si\n"
                     "pair_coeff * * sw Si.sw Si\n")  # fmt: skip
    assert LammpsBackend().side_files(model) == [tmp_path / "Si.sw", tmp_path / "mine.snapcoeff"]
    model.write_text("shell rm -r x\n")
    with pytest.raises(ModelError, match="refused"):
        LammpsBackend().side_files(model)
