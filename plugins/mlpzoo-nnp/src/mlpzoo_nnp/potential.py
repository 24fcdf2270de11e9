"""A potential as n2p2 keeps it: ``input.nn``, ``scaling.data``, and ``weights.ZZZ.data`` of each element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import atomic_numbers

from mlpzoo.errors import ModelError
from mlpzoo_nnp.network import Network
from mlpzoo_nnp.settings import Scaling, Settings, read_settings
from mlpzoo_nnp.symmetry import Cutoff, Group, groups_of
from mlpzoo_nnp.units import Units, read_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_SCALING_COLUMNS: Final = (5, 6)
_HINT: Final = (
    "give the folder of a potential that n2p2 wrote, with input.nn, scaling.data and weights.*.data"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementPart:
    """What makes the energy of an atom of one element.

    Attributes:
        groups: Symmetry functions, lengths in Å.
        factor: An input is ``factor * (G - origin) + lowest``; shape (n_inputs,).
        origin: Shape (n_inputs,).
        lowest: See `Scaling`.
        network: From inputs to an energy in the potential's own unit.
        offset_ev: Added to the energy of each atom.
    """

    groups: list[Group]
    factor: FloatArray
    origin: FloatArray
    lowest: float
    network: Network
    offset_ev: float

    def energies(self, values: FloatArray, unit_ev: float) -> tuple[FloatArray, FloatArray]:
        """Energies of atoms, and their derivatives by the symmetry functions.

        Args:
            values: Symmetry functions, shape (n_atoms, n_inputs).
            unit_ev: The network's unit of energy.

        Returns:
            eV, shape (n_atoms,); eV, shape (n_atoms, n_inputs).
        """
        inputs = self.lowest + self.factor * (values - self.origin)
        energies, by_input = self.network.evaluate(inputs)
        return self.offset_ev + unit_ev * energies, unit_ev * self.factor * by_input


@dataclass(frozen=True, slots=True, kw_only=True)
class Potential:
    """A neural network potential, lengths in Å.

    Attributes:
        elements: Chemical symbols by atomic number.
        charges: Atomic numbers, shape (n_elements,).
        parts: One an element.
        cutoff: The form of the cutoff function.
        radius_ang: The largest cutoff radius.
        unit_ev: What networks give is in this unit.
        units: Those that the files were taken to be in.
    """

    elements: tuple[str, ...]
    charges: FloatArray
    parts: tuple[ElementPart, ...]
    cutoff: Cutoff
    radius_ang: float
    unit_ev: float
    units: Units


def read_potential(folder: Path) -> Potential:
    """Read a folder.

    Raises:
        ModelError: A file is missing, does not fit the others, or holds something that is not supported.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder", hint=_HINT)
    settings, units = read_settings(folder / "input.nn"), read_units(folder)
    statistics = _read_scaling(folder / "scaling.data", settings)
    length = units.length_ang
    parts = []
    for index, symbol in enumerate(settings.elements):
        functions = [
            replace(f, radius=f.radius * length, shift=f.shift * length, eta=f.eta / length**2)
            for f in settings.functions[index]
        ]
        factor, origin = _scale(settings.scaling, statistics[index], folder / "scaling.data", symbol)
        offset = settings.atom_energies[index] + settings.mean_energy
        part = ElementPart(
            groups=groups_of(functions),
            factor=factor,
            origin=origin,
            lowest=0.0 if settings.scaling.divisor == "none" else settings.scaling.lowest,
            network=_read_network(folder, settings, index),
            offset_ev=units.energy_ev * offset,
        )
        parts.append(part)
    return Potential(
        elements=settings.elements,
        charges=np.array([float(atomic_numbers[symbol]) for symbol in settings.elements]),
        parts=tuple(parts),
        cutoff=settings.cutoff,
        radius_ang=max(group.radius for part in parts for group in part.groups),
        unit_ev=units.energy_ev / settings.conv_energy,
        units=units,
    )


def _rows(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint=_HINT) from error
    return [words for line in lines if (words := line.partition("#")[0].split())]


def _read_scaling(path: Path, settings: Settings) -> list[FloatArray]:
    """Minimum, maximum, mean and standard deviation of each function, shape (n_inputs, 4) for each element.

    The deviation is NaN where an old file has none.  A last line of two numbers, the range of energies that
    RuNNer writes, is passed over.
    """
    rows = _rows(path)
    if rows and len(rows[-1]) == 2:  # noqa: PLR2004
        rows = rows[:-1]
    places = [(e + 1, n + 1) for e, of in enumerate(settings.functions) for n in range(len(of))]
    try:
        found = [(int(row[0]), int(row[1])) for row in rows]
        numbers = np.full((len(rows), 4), np.nan)
        for number, row in zip(numbers, rows, strict=True):
            if len(row) not in _SCALING_COLUMNS:
                raise ValueError(f"a line of {len(row)} columns")
            number[: len(row) - 2] = [float(word) for word in row[2:]]
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path} is not as expected: {error}", hint=_HINT) from error
    if found != places:
        expected, actual = next(
            (pair for pair in zip_longest(places, found) if pair[0] != pair[1]),
        )
        raise ModelError(
            f"{path} is not of the symmetry functions of input.nn: element and function of a line are "
            f"{_numbers(actual)} instead of {_numbers(expected)}",
            hint=_HINT,
        )
    ends = np.cumsum([len(of) for of in settings.functions])[:-1]
    return list(np.split(numbers, ends))


def _numbers(place: tuple[int, int] | None) -> str:
    return "nothing" if place is None else f"{place[0]} {place[1]}"


def _scale(
    scaling: Scaling, statistics: FloatArray, path: Path, symbol: str
) -> tuple[FloatArray, FloatArray]:
    """Factor and origin of the inputs of an element."""
    lowest, highest, mean, sigma = statistics.T
    if scaling.divisor == "none":
        return np.ones(len(mean)), mean if scaling.centred else np.zeros(len(mean))
    width = highest - lowest if scaling.divisor == "range" else sigma
    bad = np.flatnonzero(~(width > 0))
    if len(bad):
        raise ModelError(
            f"{path}: {scaling.divisor} of function {bad[0] + 1} of {symbol} is {width[bad[0]]:g}", hint=_HINT
        )
    return (scaling.highest - scaling.lowest) / width, mean if scaling.centred else lowest


def _read_network(folder: Path, settings: Settings, index: int) -> Network:
    """Weights of one element: layer by layer all weights, by origin and then by target, and the biases."""
    path = folder / f"weights.{atomic_numbers[settings.elements[index]]:03d}.data"
    sizes = (len(settings.functions[index]), *settings.nodes[index], 1)
    rows = _rows(path)
    try:
        values = np.array([float(row[0]) for row in rows])
    except ValueError as error:
        raise ModelError(f"{path} is not as expected: {error}", hint=_HINT) from error
    letters = "".join("a" * before * after + "b" * after for before, after in pairwise(sizes))
    if len(values) != len(letters):
        raise ModelError(
            f"{path} holds {len(values)} numbers, a network of {'-'.join(map(str, sizes))} nodes has "
            f"{len(letters)}",
            hint=_HINT,
        )
    if any(len(row) > 1 and row[1] != letter for row, letter in zip(rows, letters, strict=True)):
        raise ModelError(f"{path}: weights (a) and biases (b) are in another order", hint=_HINT)
    weights, biases, start = [], [], 0
    for before, after in pairwise(sizes):
        middle = start + before * after
        weights.append(values[start:middle].reshape(before, after))
        biases.append(values[middle : middle + after])
        start = middle + after
    return Network(
        weights=tuple(weights),
        biases=tuple(biases),
        activations=settings.activations,
        normalize=settings.normalize_nodes,
    )
