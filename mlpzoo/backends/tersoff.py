"""Tersoff potentials for silicon and silicon carbide, and the user's own parameter files."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlpzoo.backends.tersoff_calculator import Parameters
    from mlpzoo.models import ModelSpec

SI: Final = ModelCard(
    name="tersoff/si",
    family="tersoff",
    title="Tersoff silicon, T3 = Si(C)",
    elements=("Si",),
    properties=("energy", "forces", "stress"),
    cutoff_ang=3.0,
    level_of_theory="empirical",
    training_set="cohesive energies and lattice constants of Si polytypes, elastic constants",
    licence="MIT (parameters published)",
    citation="10.1103/PhysRevB.38.9902",
    notes="The cutoff function acts between 2.7 and 3.0 Å: large forces there. Always float64.",
)
SIC: Final = replace(
    SI,
    name="tersoff/sic",
    title="Tersoff silicon, carbon and silicon carbide",
    elements=("C", "Si"),
    training_set="cohesive energies, lattice constants and bulk moduli of C and Si polytypes; SiC",
    citation="10.1103/PhysRevB.39.5566",
    notes="The cutoff functions act at 1.8-2.1 Å (C-C), 2.2-2.5 (Si-C), 2.7-3.0 (Si-Si): large forces "
    "there. Always float64.",
)

# m, gamma, lambda3, c, d, h, n, beta, lambda2, B, R, D, lambda1, A in LAMMPS's order, eV and Å
T3: Final = (3, 1, 1.7322, 1.0039e5, 16.218, -0.59826, 0.78734, 1.0999e-6, 1.7322, 471.18, 2.85, 0.15,
             2.4799, 1830.8)  # fmt: skip
# Table I of Phys. Rev. B 39, 5566: A, B, lambda, mu, beta, n, c, d, h, R, S
MULTI: Final = {
    "C": (1393.6, 346.74, 3.4879, 2.2119, 1.5724e-7, 0.72751, 3.8049e4, 4.3484, -0.57058, 1.8, 2.1),
    "Si": (1830.8, 471.18, 2.4799, 1.7322, 1.1000e-6, 0.78734, 1.0039e5, 16.217, -0.59825, 2.7, 3.0),
}
CHI_SI_C: Final = 0.9776


class TersoffBackend:
    """The family ``tersoff``; ``tersoff:FILE`` takes a LAMMPS ``pair_style tersoff`` file."""

    family: Final = "tersoff"
    requires: Final = ()
    lock_file: Final = None

    def cards(self) -> tuple[ModelCard, ...]:
        """Silicon (the default) and silicon carbide."""
        return (SI, SIC)

    def calculator(self, spec: ModelSpec) -> Calculator:
        """The vectorised Tersoff potential.

        Raises:
            ModelError: The parameter file cannot be read.
        """
        from mlpzoo.backends.tersoff_calculator import TersoffCalculator

        return TersoffCalculator(_parameters(spec))

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of a parameter file: its elements and its largest cutoff.

        Raises:
            ModelError: The parameter file cannot be read.
        """
        parameters = _parameters(spec)
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(sorted({key[0] for key in parameters})),
            properties=SI.properties,
            cutoff_ang=max(values[10] + values[11] for values in parameters.values()),
        )


def _parameters(spec: ModelSpec) -> Parameters:
    if spec.path is not None:
        return read_lammps(Path(spec.path))
    if spec.card is not None and spec.card.name == SIC.name:
        return _mixed()
    return {("Si", "Si", "Si"): T3}


def _mixed() -> Parameters:
    """Equations 1 and 3 of Phys. Rev. B 39, 5566 (1989), in LAMMPS's terms."""
    found = {}
    for i, j, k in product(MULTI, repeat=3):
        beta, n, c, d, h = MULTI[i][4:9]
        chi = 1.0 if i == j else CHI_SI_C
        amplitude_a, amplitude_b = (sqrt(MULTI[i][x] * MULTI[j][x]) for x in (0, 1))
        decay_a, decay_b = (0.5 * (MULTI[i][x] + MULTI[j][x]) for x in (2, 3))
        inner, outer = (sqrt(MULTI[i][x] * MULTI[k][x]) for x in (9, 10))
        found[i, j, k] = (
            *(3.0, 1.0, 0.0, c, d, h, n, beta, decay_b, chi * amplitude_b),
            *(0.5 * (inner + outer), 0.5 * (outer - inner), decay_a, amplitude_a),
        )
    return found


def read_lammps(path: Path) -> Parameters:
    """Read a LAMMPS ``tersoff`` parameter file in metal units; comments start with ``#``.

    Raises:
        ModelError: It is missing, is none, or lacks a triple of its elements.
    """
    hint = "give a LAMMPS 'pair_style tersoff' file in metal units, 17 columns an entry"
    try:
        words = [w for line in path.read_text().splitlines() for w in line.partition("#")[0].split()]
        entries = [words[start : start + 17] for start in range(0, len(words), 17)]
        found = {(e[0], e[1], e[2]): tuple(float(w) for w in e[3:]) for e in entries}
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{path}: no Tersoff parameters: {error}", hint=hint) from error
    if not found or any(len(values) != 14 for values in found.values()):  # noqa: PLR2004
        raise ModelError(f"{path}: no Tersoff parameters: an entry is not of 17 columns", hint=hint)
    missing = set(product({key[0] for key in found}, repeat=3)) - set(found)
    if missing:
        raise ModelError(f"{path}: no entry for {' '.join(min(missing))}", hint=hint)
    return found
