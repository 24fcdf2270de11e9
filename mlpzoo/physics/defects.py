"""Formation energies of vacancies and self-interstitials in supercells of a cubic crystal.

With E(n) the energy of the cell with n atoms and N atoms in the perfect one, at the same size of the cell,

    E_f(vacancy)      = E(N-1) - (N-1)/N E(N)
    E_f(interstitial) = E(N+1) - (N+1)/N E(N)

(Freysoldt et al., Rev. Mod. Phys. 86, 253 (2014), doi 10.1103/RevModPhys.86.253, for a neutral defect whose
atoms come from the crystal itself). E(N) is computed in the supercell, so that what its size and its k-points
do to the energy cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import CalculationError
from mlpzoo.physics.defect_sites import (
    DISTORTED,
    identify_interstitial,
    interstitial_starts,
    vacancy_starts,
)
from mlpzoo.physics.evaluate import Progress, nothing
from mlpzoo.physics.relax import Relaxed, relax

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from mlpzoo.physics.crystals import Crystal

DISPLACED_ANG = 0.1
"""Length of the displacements that tell a minimum from a saddle point. An unstable mode is seen if its
curvature is more than fmax / `DISPLACED_ANG`: 0.2 eV/Å² for 0.02 eV/Å. (With half of it the octahedral
interstitial of EMT copper passes for a minimum.)"""

STABLE_EV = 0.01  # lower by more than that after a displacement: it was no minimum
SAME_EV = 0.05  # two structures of one configuration differ by less; else one of them is distorted


@dataclass(frozen=True, slots=True, kw_only=True)
class VacancyFormation:
    """Formation energies in eV of a vacancy.

    Attributes:
        n_sites: N, the atoms of the perfect supercell.
        unrelaxed_ev: One atom removed and no other moved.
        relaxed_ev: After relaxation, from the best start.
        start: The start whose relaxation ended lowest.
        by_start_ev: Relaxed energies from all starts.
        relaxed: The relaxed structure from the best start.
    """

    n_sites: int
    unrelaxed_ev: float
    relaxed_ev: float
    start: str
    by_start_ev: Mapping[str, float]
    relaxed: Relaxed


@dataclass(frozen=True, slots=True, kw_only=True)
class Interstitial:
    """What became of one configuration.

    Attributes:
        formation_ev: Formation energy of the relaxed structure, whatever it is.
        became: The configuration that it is, see `identify_interstitial`.
        relaxed: The relaxed structure.
        displaced_to: What it turns into after a small displacement, as a configuration; empty if it comes
            back, or was not displaced.
        displaced_ev: Formation energy of that; of ``relaxed`` if there is nothing.
    """

    formation_ev: float
    became: str
    relaxed: Relaxed
    displaced_to: str
    displaced_ev: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InterstitialFormation:
    """Interstitials of a crystal, by the configuration that they were started from.

    Attributes:
        n_sites: N, the atoms of the perfect supercell.
        found: Those that could be relaxed.
        failed: The relaxations that failed, and why: of a configuration, or of it ``displaced``.
    """

    n_sites: int
    found: Mapping[str, Interstitial]
    failed: Mapping[str, str]

    def lowest(self) -> tuple[str, float]:
        """The configuration with the lowest formation energy, and that energy in eV."""
        every = [(one.formation_ev, one.became) for one in self.found.values()]
        every += [(one.displaced_ev, one.displaced_to) for one in self.found.values() if one.displaced_to]
        energy, name = min(every)
        return name, energy


def ground_state(found: InterstitialFormation) -> str:
    """The lowest configuration that is what it was started as.

    Raises:
        CalculationError: All of them relaxed into something else.
    """
    kept = {name: one.formation_ev for name, one in found.found.items() if one.became == name}
    if not kept:
        became = ", ".join(f"{name} → {one.became}" for name, one in found.found.items())
        raise CalculationError(
            f"no known interstitial is stable in this model: {became}",
            hint="a hop needs two ends of a known configuration",
        )
    return min(kept, key=lambda name: kept[name])


def vacancy_formation(
    crystal: Crystal,
    calculator: Calculator,
    *,
    repeat: int,
    fmax_ev_per_ang: float,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> VacancyFormation:
    """Formation energy of a vacancy in ``repeat`` cubic cells in each direction.

    Relaxed from each of `vacancy_starts`; the lowest counts.

    Raises:
        CalculationError: A relaxation did not converge, or the structure fell apart.
    """
    perfect = crystal.supercell(repeat)
    per_atom = float(calculator.get_property("energy", perfect)) / len(perfect)
    starts = vacancy_starts(crystal, repeat)
    relaxed = {
        name: relax(
            start,
            calculator,
            fmax_ev_per_ang=fmax_ev_per_ang,
            progress=_part(progress, f"vacancy, {name}", index, len(starts)),
            checkpoint=(checkpoint or Checkpoint()).child(name),
        )
        for index, (name, start) in enumerate(starts.items())
    }
    missing = (len(perfect) - 1) * per_atom
    energies = {name: one.energy_ev - missing for name, one in relaxed.items()}
    # A start with less symmetry wins if it is really lower, not by what fmax leaves.
    best = min(energies, key=lambda name: energies[name] + (0.0 if name == "ideal" else 1e-3))
    return VacancyFormation(
        n_sites=len(perfect),
        unrelaxed_ev=relaxed["ideal"].start_energy_ev - missing,
        relaxed_ev=energies[best],
        start=best,
        by_start_ev=energies,
        relaxed=relaxed[best],
    )


def interstitial_formation(
    crystal: Crystal,
    calculator: Calculator,
    *,
    repeat: int,
    fmax_ev_per_ang: float,
    check_stability: bool,
    seed: int = 0,
    progress: Progress = nothing,
    checkpoint: Checkpoint | None = None,
) -> InterstitialFormation:
    """Formation energies of the crystal's interstitials in ``repeat`` cubic cells in each direction.

    Each of `interstitial_starts` is relaxed and then identified: it may have become another one. One that
    cannot be relaxed does not stop the others.

    Args:
        crystal: The crystal, best with the calculator's own lattice constant.
        calculator: Gives energy and forces.
        repeat: Size of the supercell.
        fmax_ev_per_ang: Of the relaxations.
        check_stability: Also displace the interstitial and its neighbours by `DISPLACED_ANG` in random
            directions and relax again: symmetry holds a relaxation on a saddle point. Doubles the cost.
        seed: Of these directions.
        progress: Called before each force call.
        checkpoint: Where an interrupted computation is continued.

    Raises:
        CalculationError: No configuration could be relaxed.
    """
    checkpoint = checkpoint or Checkpoint()
    perfect = crystal.supercell(repeat)
    per_atom = float(calculator.get_property("energy", perfect)) / len(perfect)
    n_sites = len(perfect)
    starts = interstitial_starts(crystal, repeat)
    found: dict[str, Interstitial] = {}
    failed: dict[str, str] = {}

    def settle(start: Atoms, name: str, index: int) -> tuple[Relaxed, str, float]:
        relaxed = relax(
            start,
            calculator,
            fmax_ev_per_ang=fmax_ev_per_ang,
            progress=_part(progress, name, index, len(starts)),
            checkpoint=checkpoint.child(name.replace(" ", "-")),
        )
        became = identify_interstitial(relaxed.atoms, crystal, repeat)
        return relaxed, became, relaxed.energy_ev - (n_sites + 1) * per_atom

    for index, (name, start) in enumerate(starts.items()):
        label = name
        try:
            relaxed, became, energy = settle(start, name, index)
            found[name] = Interstitial(
                formation_ev=energy, became=became, relaxed=relaxed, displaced_to="", displaced_ev=energy
            )
            if check_stability:
                label = f"{name} displaced"
                pushed = _displaced(relaxed.atoms, crystal, np.random.default_rng(seed))
                _, other, other_ev = settle(pushed, label, index)
                if other_ev < energy - STABLE_EV:
                    found[name] = replace(found[name], displaced_to=other, displaced_ev=other_ev)
        except CalculationError as error:
            failed[label] = error.message
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise CalculationError(
            f"no interstitial could be relaxed: {reasons}",
            hint="this model does not hold a crystal with an interstitial together",
        )
    own = {name: one.formation_ev for name, one in found.items() if one.became == name}
    named = {
        name: replace(
            one,
            became=_checked(one.became, one.formation_ev, own),
            displaced_to=_checked(one.displaced_to, one.displaced_ev, own),
        )
        for name, one in found.items()
    }
    return InterstitialFormation(n_sites=n_sites, found=named, failed=failed)


def _checked(name: str, energy_ev: float, own: Mapping[str, float]) -> str:
    """The name, if the energy is that of the configuration that was started as such, or there is none."""
    return name if abs(energy_ev - own.get(name, energy_ev)) < SAME_EV else DISTORTED


def _displaced(atoms: Atoms, crystal: Crystal, generator: np.random.Generator) -> Atoms:
    """A copy with the last atom and those around it moved by `DISPLACED_ANG` in random directions."""
    near = np.flatnonzero(
        atoms.get_distances(-1, range(len(atoms)), mic=True) < 1.2 * crystal.neighbour_distance_ang
    )
    directions = generator.standard_normal((len(near), 3))
    moved: Atoms = atoms.copy()
    moved.positions[near] += DISPLACED_ANG * directions / np.linalg.norm(directions, axis=1)[:, None]
    return moved


def _part(progress: Progress, name: str, index: int, count: int) -> Progress:
    """Progress of one of several relaxations, counted in relaxations."""

    def told(done: int, total: int, what: str) -> None:
        del done, total
        progress(index, count, f"{name}: {what}")

    return told
