"""``input.nn``: one keyword a line, ``#`` and ``!`` begin a comment.  What is not understood is refused.

Format: https://compphysvienna.github.io/n2p2/topics/keywords.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ase.data import atomic_numbers

from mlpzoo.errors import ModelError, did_you_mean
from mlpzoo_nnp.cutoffs import KINDS
from mlpzoo_nnp.keywords import POTENTIAL, REPEATED, TRAINING
from mlpzoo_nnp.lines import HINT, Line, read_lines
from mlpzoo_nnp.network import ACTIVATIONS
from mlpzoo_nnp.symmetry import WEIGHTED, Cutoff, SymmetryFunction

_LARGEST_RADIUS: Final = 1e3
_SHORT_RANGE: Final = {("0",), ("2",), ("2G-HDNNP",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How values of symmetry functions become inputs of the network.

    Attributes:
        centred: The mean of the training data, not its minimum, is subtracted.
        divisor: What the result is divided by: ``range``, ``sigma``, or ``none``.
        lowest: S_min.
        highest: S_max.
    """

    centred: bool
    divisor: str
    lowest: float = 0.0
    highest: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``input.nn`` says of the potential; lengths and energies in its unit.

    Attributes:
        elements: Chemical symbols by atomic number: the order of n2p2's indices.
        functions: Of each element, in the order of the network's inputs.
        cutoff: The form of the cutoff functions.
        scaling: Of the inputs.
        nodes: Of each element, the numbers of nodes of the hidden layers.
        activations: Letters, hidden layers and output.
        normalize_nodes: See `mlpzoo_nnp.network.Network`.
        atom_energies: Of each element, added for every atom.
        mean_energy: Added for every atom, too.
        conv_energy: What networks give is divided by this.
    """

    elements: tuple[str, ...]
    functions: tuple[tuple[SymmetryFunction, ...], ...]
    cutoff: Cutoff
    scaling: Scaling
    nodes: tuple[tuple[int, ...], ...]
    activations: tuple[str, ...]
    normalize_nodes: bool
    atom_energies: tuple[float, ...]
    mean_energy: float
    conv_energy: float


def read_settings(path: Path) -> Settings:
    """Read an ``input.nn``.

    Raises:
        ModelError: It is missing or incomplete, or holds something that is not supported.
    """
    lines = read_lines(path)
    _refuse_unknown(lines)
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.keyword, []).append(line)
    for keyword, several in found.items():
        if keyword not in REPEATED and len(several) > 1 and keyword in POTENTIAL:
            raise several[1].error(f"also in line {several[0].number}")
    return _Reader(path, found).settings()


def _refuse_unknown(lines: list[Line]) -> None:
    for line in lines:
        if line.keyword not in POTENTIAL | TRAINING:
            near = did_you_mean(line.keyword, POTENTIAL)
            raise line.error(
                "this keyword is not supported", f"{near}{HINT}; if it is without effect, take it out"
            )


class _Reader:
    """The parts of the settings, each from its keywords."""

    def __init__(self, path: Path, found: dict[str, list[Line]]) -> None:
        self._path, self._found = path, found
        self._elements = self._read_elements()

    def settings(self) -> Settings:
        self._check_type()
        mean, energy = self._normalisation()
        activations = self._need("global_activation_short")
        nodes = self._nodes()
        self._check_activations(activations, len(nodes[0]))
        return Settings(
            elements=self._elements,
            functions=self._functions(),
            cutoff=self._cutoff(),
            scaling=self._scaling(),
            nodes=nodes,
            activations=activations.arguments,
            normalize_nodes="normalize_nodes" in self._found,
            atom_energies=self._atom_energies(),
            mean_energy=mean,
            conv_energy=energy,
        )

    def _get(self, keyword: str) -> Line | None:
        several = self._found.get(keyword, [])
        return several[0] if several else None

    def _need(self, keyword: str) -> Line:
        line = self._get(keyword)
        if line is None:
            raise ModelError(f"{self._path}: there is no line with {keyword}", hint=HINT)
        return line

    def _number(self, keyword: str, default: float) -> float:
        line = self._get(keyword)
        return default if line is None else line.real()

    def _element(self, line: Line, symbol: str) -> int:
        if symbol not in self._elements:
            raise line.error(f"'{symbol}' is not among the elements {' '.join(self._elements)}")
        return self._elements.index(symbol)

    def _read_elements(self) -> tuple[str, ...]:
        line = self._need("elements")
        wrong = [symbol for symbol in line.arguments if symbol not in atomic_numbers]
        if wrong or not line.arguments:
            raise line.error(f"'{' '.join(wrong)}' is no chemical symbol")
        number = self._need("number_of_elements")
        if number.real() != len(set(line.arguments)) or len(set(line.arguments)) < len(line.arguments):
            raise line.error(f"{' '.join(line.arguments)} are not {' '.join(number.arguments)} elements")
        return tuple(sorted(line.arguments, key=lambda symbol: atomic_numbers[symbol]))

    def _check_type(self) -> None:
        for keyword in ("nnp_type", "nn_type"):
            line = self._get(keyword)
            if line is not None and line.arguments not in _SHORT_RANGE:
                raise line.error("only short-range networks (2G-HDNNP) are supported")

    def _normalisation(self) -> tuple[float, float]:
        keywords = ("mean_energy", "conv_energy", "conv_length")
        lines = [line for keyword in keywords if (line := self._get(keyword)) is not None]
        if len(lines) not in {0, len(keywords)}:
            raise lines[0].error(f"needs all of {', '.join(keywords)}")
        for line in lines[1:]:
            if line.real() <= 0:
                raise line.error("is not positive")
        # Functions of distances do not change when lengths and parameters are scaled together: conv_length
        # has no effect on what a potential predicts.
        return self._number("mean_energy", 0.0), self._number("conv_energy", 1.0)

    def _atom_energies(self) -> tuple[float, ...]:
        energies: dict[int, float] = {}
        for line in self._found.get("atom_energy", []):
            if len(line.arguments) != 2:  # noqa: PLR2004
                raise line.error("not an element and an energy")
            element = self._element(line, line.arguments[0])
            if element in energies:
                raise line.error(f"a second energy of {line.arguments[0]}")
            energies[element] = line.reals(line.arguments[1:])[0]
        return tuple(energies.get(element, 0.0) for element in range(len(self._elements)))

    def _cutoff(self) -> Cutoff:
        line = self._need("cutoff_type")
        if len(line.arguments) not in {1, 2}:
            raise line.error("not a type and perhaps an inner radius")
        kind = line.integers(line.arguments[:1])[0]
        alpha = (line.reals(line.arguments[1:]) or [0.0])[0]
        if kind not in KINDS:
            raise line.error(f"type {kind} is not among {', '.join(map(str, sorted(KINDS)))}")
        if not 0.0 <= alpha < 1.0:
            raise line.error(f"the inner radius {alpha:g} is not from 0 to below 1")
        return Cutoff(kind=kind, alpha=alpha)

    def _scaling(self) -> Scaling:
        scale, sigma, centre = (
            self._get(keyword)
            for keyword in (
                "scale_symmetry_functions",
                "scale_symmetry_functions_sigma",
                "center_symmetry_functions",
            )
        )
        if sigma is not None and (scale is not None or centre is not None):
            raise sigma.error("cannot be combined with other ways of scaling")
        for line in (scale, sigma, centre):
            if line is not None and line.arguments:
                raise line.error("takes no arguments")
        if scale is None and sigma is None:
            return Scaling(centred=centre is not None, divisor="none")
        return Scaling(
            centred=centre is not None or sigma is not None,
            divisor="range" if sigma is None else "sigma",
            lowest=self._number("scale_min_short", 0.0),
            highest=self._number("scale_max_short", 1.0),
        )

    def _nodes(self) -> tuple[tuple[int, ...], ...]:
        layers, line = self._need("global_hidden_layers_short"), self._need("global_nodes_short")
        common = line.integers()
        if layers.integers() != [len(common)] or not common:
            raise line.error(f"{len(common)} numbers for {' '.join(layers.arguments)} hidden layers")
        nodes = [list(common) for _ in self._elements]
        for own in self._found.get("element_nodes_short", []):
            if len(own.arguments) != 3:  # noqa: PLR2004
                raise own.error("not an element, a layer and a number of nodes")
            layer, number = own.integers(own.arguments[1:])
            if not 1 <= layer <= len(common):
                raise own.error(f"there is no hidden layer {layer}")
            nodes[self._element(own, own.arguments[0])][layer - 1] = number
        if min(map(min, nodes)) < 1:
            raise line.error("a layer without nodes")
        return tuple(map(tuple, nodes))

    @staticmethod
    def _check_activations(line: Line, n_hidden: int) -> None:
        if len(line.arguments) != n_hidden + 1:
            raise line.error(f"{len(line.arguments)} letters for {n_hidden} hidden layers and the output")
        unknown = [letter for letter in line.arguments if letter not in ACTIVATIONS]
        if unknown:
            raise line.error(f"'{unknown[0]}' is not among {' '.join(ACTIVATIONS)}")
        if line.arguments[-1] != "l":
            raise line.error(f"the output is '{line.arguments[-1]}', n2p2 takes it for linear, 'l'")

    def _functions(self) -> tuple[tuple[SymmetryFunction, ...], ...]:
        self._need("symfunction_short")
        of_element: list[list[SymmetryFunction]] = [[] for _ in self._elements]
        for line in self._found["symfunction_short"]:
            one = self._function(line)
            of_element[one.centre].append(one)
        for symbol, functions in zip(self._elements, of_element, strict=True):
            if not functions:
                raise ModelError(f"{self._path}: {symbol} has no symfunction_short", hint=HINT)
            functions.sort(key=lambda one: one.order)
        return tuple(map(tuple, of_element))

    def _function(self, line: Line) -> SymmetryFunction:
        """One line; parameters follow the symbols, in an order that depends on the type.

        Raises:
            ModelError: An unknown element or type, or another number of parameters than it has.
        """
        words = line.arguments
        kind = line.integers(words[1:2])[0] if len(words) > 1 else -1
        if kind not in _PARAMETERS:
            raise line.error(f"type {words[1] if len(words) > 1 else 'none'} is not among 2, 3, 9, 12, 13")
        n_neighbours = 0 if kind in WEIGHTED else 1 if kind == 2 else 2  # noqa: PLR2004
        symbols, numbers = words[2 : 2 + n_neighbours], line.reals(words[2 + n_neighbours :])
        names = _PARAMETERS[kind]
        optional = int(names[-1] == "shift")  # of the angular functions, at the end
        if len(symbols) < n_neighbours or not len(names) - optional <= len(numbers) <= len(names):
            raise line.error(f"type {kind} takes {n_neighbours} elements and {', '.join(names)}")
        values = dict(zip(names, numbers, strict=False))
        if not 0.0 < values["radius"] < _LARGEST_RADIUS:
            raise line.error(f"the cutoff radius is {values['radius']:g}")
        return SymmetryFunction(
            kind=kind,
            centre=self._element(line, words[0]),
            neighbours=tuple(sorted(self._element(line, symbol) for symbol in symbols)),
            **values,
        )


_PARAMETERS: Final = {
    2: ("eta", "shift", "radius"),
    3: ("eta", "sign", "zeta", "radius", "shift"),
    9: ("eta", "sign", "zeta", "radius", "shift"),
    12: ("eta", "shift", "radius"),
    13: ("eta", "shift", "sign", "zeta", "radius"),
}
