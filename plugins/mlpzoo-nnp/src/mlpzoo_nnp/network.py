"""Feed-forward networks with one output: the energies of atoms, and their derivatives by the inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The network of one element.

    Attributes:
        weights: One matrix a layer, shape (nodes before, nodes).
        biases: One vector a layer, shape (nodes,).
        activations: n2p2's letter of each layer; see `ACTIVATIONS`.
        normalize: n2p2's ``normalize_nodes``: what enters a node is divided by the number of nodes before.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    activations: tuple[str, ...]
    normalize: bool = False

    def evaluate(self, inputs: FloatArray) -> Pair:
        """Outputs, shape (n,), and their derivatives by the inputs, shape (n, n_inputs); given the latter."""
        values, slopes = inputs, []
        for weight, bias, letter in zip(self.weights, self.biases, self.activations, strict=True):
            share = 1.0 / len(weight) if self.normalize else 1.0
            values, slope = ACTIVATIONS[letter](share * (values @ weight + bias))
            slopes.append(share * slope)
        by_node = np.ones_like(values)
        for weight, slope in zip(reversed(self.weights), reversed(slopes), strict=True):
            by_node = (by_node * slope) @ weight.T
        return values[:, 0], by_node


def _logistic(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _identity(x: FloatArray) -> Pair:
    return x, np.ones_like(x)


def _tanh(x: FloatArray) -> Pair:
    value = np.tanh(x)
    return value, 1.0 - value**2


def _sigmoid(x: FloatArray) -> Pair:
    value = _logistic(x)
    return value, value * (1.0 - value)


def _softplus(x: FloatArray) -> Pair:
    return np.logaddexp(0.0, x), _logistic(x)


def _relu(x: FloatArray) -> Pair:
    return np.maximum(x, 0.0), (x > 0).astype(float)


def _gaussian(x: FloatArray) -> Pair:
    value = np.exp(-0.5 * x**2)
    return value, -x * value


def _cosine(x: FloatArray) -> Pair:
    return np.cos(x), -np.sin(x)


def _reversed_sigmoid(x: FloatArray) -> Pair:
    value = _logistic(-x)
    return value, -value * (1.0 - value)


def _exponential(x: FloatArray) -> Pair:
    value = np.exp(-x)
    return value, -value


def _harmonic(x: FloatArray) -> Pair:
    return x**2, 2.0 * x


ACTIVATIONS: Final[dict[str, Callable[[FloatArray], Pair]]] = {
    "l": _identity,
    "t": _tanh,
    "s": _sigmoid,
    "p": _softplus,
    "r": _relu,
    "g": _gaussian,
    "c": _cosine,
    "S": _reversed_sigmoid,
    "e": _exponential,
    "h": _harmonic,
}
"""n2p2's letters, to functions that return value and derivative (its documentation of ``NeuralNetwork``)."""
