"""Energies against sums written down from the definitions, one atom and one pair of neighbours at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.neighborlist import neighbor_list
from mlpzoo_nnp.calculator import NnpCalculator
from mlpzoo_nnp.cutoffs import KINDS, cutoff
from mlpzoo_nnp.network import ACTIVATIONS
from mlpzoo_nnp.potential import read_potential

FORMS = {
    "0": lambda _: 1.0,
    "1": lambda x: 0.5 * (math.cos(math.pi * x) + 1),
    "2": lambda x: math.tanh(1 - x) ** 3,
    "3": lambda x: math.tanh(1 - x) ** 3 / math.tanh(1) ** 3,
    "4": lambda x: math.exp(1 - 1 / (1 - x * x)) if x < 1 else 0.0,
    "5": lambda x: (2 * x - 3) * x**2 + 1,
    "6": lambda x: ((15 - 6 * x) * x - 10) * x**3 + 1,
    "7": lambda x: (x * (x * (20 * x - 70) + 84) - 35) * x**4 + 1,
    "8": lambda x: (x * (x * ((315 - 70 * x) * x - 540) + 420) - 126) * x**5 + 1,
}
NEURONS = {
    "l": lambda x: x,
    "t": math.tanh,
    "s": lambda x: 1 / (1 + math.exp(-x)),
    "p": lambda x: math.log(1 + math.exp(x)),
    "r": lambda x: max(0.0, x),
    "g": lambda x: math.exp(-x * x / 2),
    "c": math.cos,
    "S": lambda x: 1 - 1 / (1 + math.exp(-x)),
    "e": lambda x: math.exp(-x),
    "h": lambda x: x * x,
}
Z = {"Si": 14, "Ge": 32}


def by_definition(folder: Path, atoms: Atoms) -> float:
    """The energy (Hartree) of a potential with the keywords that the tests use; lengths in Bohr throughout."""
    lines = [line.partition("!")[0].split() for line in (folder / "input.nn").read_text().splitlines()]
    words: dict[str, list[str]] = {line[0]: line[1:] for line in lines if line}
    offsets = {line[1]: float(line[2]) for line in lines if line and line[0] == "atom_energy"}
    functions = [line[1:] for line in lines if line and line[0] == "symfunction_short"]
    i, j, vectors = neighbor_list("ijD", atoms, 10.0 * units.Bohr)
    total = 0.0
    for centre, symbol in enumerate(atoms.symbols):
        near = [
            (atoms.symbols[b], v / units.Bohr) for a, b, v in zip(i, j, vectors, strict=True) if a == centre
        ]
        own = sorted((parsed(f) for f in functions if f[0] == symbol), key=lambda f: f["order"])
        total += offsets[symbol] + neural(
            folder, words, symbol, [value(f, near, words["cutoff_type"]) for f in own]
        )
    return total


def parsed(words: list[str]) -> dict[str, Any]:
    kind = int(words[1])
    n = {2: 1, 3: 2, 9: 2, 12: 0, 13: 0}[kind]
    elements = sorted(words[2 : 2 + n], key=Z.__getitem__)
    eta, *numbers = map(float, words[2 + n :])
    shift, sign, zeta = 0.0, 1.0, 1.0
    if kind in {2, 12}:
        shift, radius = numbers
    elif kind == 13:
        shift, sign, zeta, radius = numbers
    else:
        sign, zeta, radius, *rest = numbers
        shift = rest[0] if rest else 0.0
    order = (kind, radius, eta, shift, zeta, sign, [Z[e] for e in elements])
    return {"kind": kind, "elements": elements, "eta": eta, "shift": shift, "sign": sign, "zeta": zeta,
            "radius": radius, "order": order}  # fmt: skip


def value(f: dict[str, Any], near: list[tuple[str, np.ndarray]], form: list[str]) -> float:
    def part(r: float) -> float:
        if r >= f["radius"]:
            return 0.0
        alpha = float(form[1]) if len(form) > 1 and form[0] not in "23" else 0.0
        x = (r / f["radius"] - alpha) / (1 - alpha)
        return math.exp(-f["eta"] * (r - f["shift"]) ** 2) * (FORMS[form[0]](x) if x > 0 else 1.0)

    weighted = f["kind"] in {12, 13}
    if f["kind"] in {2, 12}:
        return sum((Z[e] if weighted else e in f["elements"]) * part(np.linalg.norm(v)) for e, v in near)
    found = 0.0
    for (e, v), (g, w) in combinations(near, 2):
        if not weighted and sorted([e, g], key=Z.__getitem__) != f["elements"]:
            continue
        a, b = np.linalg.norm(v), np.linalg.norm(w)
        radial = part(a) * part(b) * (1.0 if f["kind"] == 9 else part(np.linalg.norm(v - w)))
        angle = max(0.0, 1 + f["sign"] * (v @ w) / (a * b))
        found += (Z[e] * Z[g] if weighted else 1) * 2 ** (1 - f["zeta"]) * angle ** f["zeta"] * radial
    return found


def neural(folder: Path, words: dict[str, list[str]], symbol: str, values: list[float]) -> float:
    rows = [line.split() for line in (folder / "scaling.data").read_text().splitlines()[1:-1]]
    mine = [list(map(float, row[2:])) for row in rows if row[0] == ("1" if symbol == "Si" else "2")]
    least, most = (float(words.get(f"scale_{name}_short", [d])[0]) for name, d in (("min", 0), ("max", 1)))
    layer = []
    for g, (low, high, mean, sigma) in zip(values, mine, strict=True):
        centred = "center_symmetry_functions" in words or "scale_symmetry_functions_sigma" in words
        divisor = {"scale_symmetry_functions_sigma": sigma, "scale_symmetry_functions": high - low}
        used = [number for name, number in divisor.items() if name in words]
        origin = mean if centred else low if used else 0.0
        layer.append(least + (most - least) * (g - origin) / used[0] if used else g - origin)
    numbers = [
        float(line.split()[0])
        for line in (folder / f"weights.0{Z[symbol]}.data").read_text().splitlines()[1:]
    ]
    for size, letter in zip(
        [5 if symbol == "Si" else 3, 4, 1], words["global_activation_short"], strict=True
    ):
        matrix, numbers = numbers[: size * len(layer)], numbers[size * len(layer) :]
        biases, numbers = numbers[:size], numbers[size:]
        share = len(layer) if "normalize_nodes" in words else 1
        layer = [
            NEURONS[letter]((biases[k] + sum(x * matrix[n * size + k] for n, x in enumerate(layer))) / share)
            for k in range(size)
        ]
    assert not numbers
    mean, conversion = (
        float(words.get(name, [d])[0]) for name, d in (("mean_energy", 0), ("conv_energy", 1))
    )
    return layer[0] / conversion + mean


def energy(folder: Path, atoms: Atoms) -> float:
    return NnpCalculator(read_potential(folder)).get_potential_energy(atoms)


@pytest.mark.parametrize(
    "changes",
    [
        *({"cutoff": kind} for kind in FORMS),
        *({"cutoff": f"{kind} 0.3"} for kind in "145678"),
        {"scaling": ""},
        {"scaling": "center_symmetry_functions"},
        {"scaling": "scale_symmetry_functions"},
        {"scaling": "scale_symmetry_functions\ncenter_symmetry_functions\nscale_max_short 2"},
        {"scaling": "scale_symmetry_functions_sigma\nscale_min_short -1"},
        *({"activation": f"{letter} {letter} l"} for letter in NEURONS),
        {"more": "normalize_nodes"},
        {"more": "mean_energy -1.5\nconv_energy 7.0\nconv_length 0.3"},
    ],
    ids=str,
)  # fmt: skip
def test_energies_are_those_of_the_definitions(
    written: Callable[..., Path], alloy: Callable[..., Atoms], changes: dict[str, str]
) -> None:
    folder, atoms = written(**changes), alloy()[:4]
    assert energy(folder, atoms) == pytest.approx(by_definition(folder, atoms) * units.Hartree, rel=1e-10)


def test_each_function_reaches_the_energy(written: Callable[..., Path], alloy: Callable[..., Atoms]) -> None:
    """Otherwise the comparison with the definitions would say nothing of it."""
    folder, atoms = written(), alloy()
    potential = read_potential(folder)
    before = NnpCalculator(potential).get_potential_energy(atoms)
    for part in potential.parts:
        for place in range(len(part.factor)):
            part.origin[place] += 0.1
            assert abs(NnpCalculator(potential).get_potential_energy(atoms) - before) > 1e-4
            part.origin[place] -= 0.1


def test_the_order_of_lines_means_nothing(written: Callable[..., Path], alloy: Callable[..., Atoms]) -> None:
    """n2p2 sorts the functions; scaling and weights are in that order."""
    folder = written()
    expected = energy(folder, alloy())
    path = folder / "input.nn"
    path.write_text("\n".join(reversed(path.read_text().splitlines())))
    assert energy(folder, alloy()) == expected


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_slopes_of_cutoffs_are_derivatives(kind: int, alpha: float) -> None:
    r, h = np.linspace(0.02, 6.2, 400), 1e-5
    r = r[(np.abs(r - 6.0) > 2 * h) & (np.abs(r - 6.0 * alpha) > 2 * h)]
    slope = cutoff(kind, alpha, r, 6.0)[1]
    expected = (cutoff(kind, alpha, r + h, 6.0)[0] - cutoff(kind, alpha, r - h, 6.0)[0]) / (2 * h)
    np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-7)
    ends = cutoff(kind, alpha, np.array([0.0, 6.0 - 1e-9, 6.0, 7.0]), 6.0)[0]
    np.testing.assert_allclose(ends[2:], 0.0)
    assert ends[0] == pytest.approx(math.tanh(1) ** 3 if kind == 2 else 1.0)
    assert (ends[1] < 1e-8) == (kind != 0)


@pytest.mark.parametrize("letter", ACTIVATIONS)
def test_slopes_of_activations_are_derivatives(letter: str) -> None:
    x, h = np.linspace(-4.01, 4.02, 200), 1e-6
    expected = (ACTIVATIONS[letter](x + h)[0] - ACTIVATIONS[letter](x - h)[0]) / (2 * h)
    np.testing.assert_allclose(ACTIVATIONS[letter](x)[1], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("letter", ["s", "S", "p"])
def test_activations_do_not_overflow(letter: str) -> None:
    value, slope = ACTIVATIONS[letter](np.array([-1000.0, 1000.0]))
    assert np.isfinite(value).all()
    np.testing.assert_allclose(slope[0 if letter == "p" else slice(None)], 0.0)


@pytest.mark.parametrize("form", ["1", "4 0.2", "6 0.4"])
def test_forces_are_differences_of_energies(
    written: Callable[..., Path], alloy: Callable[..., Atoms], form: str
) -> None:
    """The five-point formula; rounding leaves 1e-10 eV/Å for 100 eV and steps of 5e-4 Å."""
    calculator, atoms, h = NnpCalculator(read_potential(written(cutoff=form))), alloy(), 5e-4
    forces = calculator.get_forces(atoms)
    for index in (0, 1, 5):
        for axis in range(3):
            energies = {}
            for n in (-2, -1, 1, 2):
                moved = atoms.copy()
                moved.positions[index, axis] += n * h
                energies[n] = calculator.get_potential_energy(moved)
            slope = (8 * (energies[1] - energies[-1]) - energies[2] + energies[-2]) / (12 * h)
            assert forces[index, axis] == pytest.approx(-slope, abs=1e-8)


def test_portions_of_a_large_cell_give_what_the_whole_gives(
    written: Callable[..., Path], alloy: Callable[..., Atoms], monkeypatch: pytest.MonkeyPatch
) -> None:
    calculator, atoms = NnpCalculator(read_potential(written())), alloy() * (2, 2, 1)
    expected = calculator.get_forces(atoms)
    for limit in (1, 700, 10**9):
        monkeypatch.setattr("mlpzoo_nnp.calculator._TRIPLES_AT_ONCE", limit)
        np.testing.assert_allclose(calculator.get_forces(alloy() * (2, 2, 1)), expected, rtol=0, atol=1e-12)
        calculator.reset()
