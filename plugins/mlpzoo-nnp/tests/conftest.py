"""Potentials with random weights, written as n2p2 writes them: for tests, good for nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers

from mlpzoo.data.sources import MIRROR_VARIABLE

ZUO = "materialsvirtuallab/mlearn/10c427a5480c6281c15c64efaf869b03be04818f"
FUNCTIONS = """
symfunction_short Si  3 Ge Si  0.02  1 4.0 9.0
symfunction_short Si  3 Si Si  0.02 -1 1.0 9.0 1.5
symfunction_short Si  3 Si Si  0.02  1 16.0 9.0
symfunction_short Si  2 Si     0.05 4.0 10.0
symfunction_short Si  2 Ge     0.05 0.0 10.0
symfunction_short Si  2 Si     0.05 0.0 10.0
symfunction_short Si  9 Ge Ge  0.03  1 2.5 8.0
symfunction_short Si  9 Si Ge  0.03 -1 2.0 8.0 1.0
symfunction_short Si 12        0.04 1.0 9.5
symfunction_short Si 13        0.03 0.5 1 2.0 8.0
symfunction_short Ge  2 Si     0.03 3.0 10.0
symfunction_short Ge  2 Ge     0.03 3.0 10.0
symfunction_short Ge  9 Si Si  0.01  1 0.5 9.0
symfunction_short Ge  3 Ge Ge  0.01 -1 3.0 9.0
"""
SIZES = {"Si": (0.5, 0.5, 2.0, 0.05, 0.01, 0.05, 0.01, 0.3, 40.0, 5.0), "Ge": (3.0, 1.0, 0.002, 1.5)}
"""Of the values of these functions in `alloy`, in n2p2's order: so that no node is saturated."""
SCALED = """
scale_symmetry_functions
scale_min_short -0.5
scale_max_short 1.5
"""


def input_nn(
    *,
    functions: str = FUNCTIONS,
    cutoff: str = "1",
    scaling: str = SCALED,
    activation: str = "t p l",
    more: str = "",
) -> str:
    """The text of an input.nn of silicon and germanium."""
    return f"""# of two elements, in another order than that of their atomic numbers
number_of_elements 2
elements Ge Si  ! ignored
atom_energy Si -0.2
atom_energy Ge -0.3
cutoff_type {cutoff}
{scaling}
global_hidden_layers_short 2
global_nodes_short 5 4
global_activation_short {activation}
element_nodes_short Ge 1 3
random_seed 1
{functions}
{more}
"""


def write_potential(folder: Path, text: str | None = None, *, seed: int = 0) -> Path:
    """An input.nn, and the other files with random numbers that fit to it."""
    text = input_nn() if text is None else text
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.nn").write_text(text)
    random = np.random.default_rng(seed)
    of = [line.split()[1] for line in text.splitlines() if line.startswith("symfunction_short")]
    lines = ["# minimum, maximum, mean, sigma"]
    for element, (symbol, hidden) in enumerate({"Si": (5, 4), "Ge": (3, 4)}.items(), start=1):
        for number in range(1, of.count(symbol) + 1):
            size = SIZES[symbol][number - 1]
            low, middle, high, sigma = size * np.cumsum(random.uniform(0.3, 0.6, size=4))
            lines.append(f"{element} {number} {low:.16e} {high:.16e} {middle:.16e} {sigma:.16e}")
        sizes = (of.count(symbol), *hidden, 1)
        rows = [f"# {symbol}"]
        for before, after in pairwise(sizes):
            for letter, count in (("a", before * after), ("b", after)):
                scale = 0.1 if after == 1 else 1.0
                rows += [f"{value:.16e} {letter} 1" for value in scale * random.uniform(-1, 1, size=count)]
        (folder / f"weights.{atomic_numbers[symbol]:03d}.data").write_text("\n".join(rows))
    (folder / "scaling.data").write_text("\n".join([*lines, "-1.0 1.0"]))
    return folder


def alloy(seed: int = 0) -> Atoms:
    """Eight atoms of silicon and germanium, out of place, in a sheared cell."""
    atoms = bulk("Si", "diamond", a=5.5, cubic=True)
    atoms.symbols[[1, 4, 6]] = "Ge"
    random = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * random.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += 0.15 * random.normal(size=atoms.positions.shape)
    return atoms


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a potential into a folder of its own; arguments are those of `input_nn`."""

    def write(text: str | None = None, **changes: str) -> Path:
        return write_potential(tmp_path_factory.mktemp("nnp"), input_nn(**changes) if text is None else text)

    return write


@pytest.fixture(name="alloy")
def alloy_fixture() -> Callable[..., Atoms]:
    """The structure of a seed."""
    return alloy


@pytest.fixture(scope="session")
def published() -> Path:
    """What Zuo et al. published, in the mirror that the environment names; skipped without one."""
    root = os.environ.get(MIRROR_VARIABLE, "")
    if not root or not (Path(root) / ZUO / "mvl_models/Si/nnp/input.nn").is_file():
        pytest.skip(f"needs the published network: set {MIRROR_VARIABLE} to a directory that holds it")
    return Path(root) / ZUO
