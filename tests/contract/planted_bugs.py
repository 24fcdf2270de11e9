"""One bug for each promise of the conformance kit: what it must catch, and nothing else.

Every class breaks `Toy` in one place.  The register at the end says which checks must fail.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase.calculators.calculator import all_changes
from toy_potential import CARD, CUTOFF, Toy, ToyBackend

from mlpzoo.checkpoint import Checkpoint
from mlpzoo.errors import ModelError
from mlpzoo.units import EV_PER_ANG3_IN_GPA

HARTREE_IN_EV = 27.211386


# -- the card ------------------------------------------------------------------------------------------


class StressOnlyWithEnergy(Toy):
    """Asked for the stress alone, it has none."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        if "energy" not in properties:
            self.results.pop("stress", None)


class GoldIsSilver(Toy):
    """A table of species that ends too early."""

    def species(self, atoms):
        return np.minimum(super().species(atoms), 47)


class EverythingIsCopper(Toy):
    """Knows no element that it does not take for copper."""

    def species(self, atoms):
        return np.full(len(atoms), 29)


# -- precision -----------------------------------------------------------------------------------------


class SinglePrecisionForces(Toy):
    def compute(self, atoms):
        results = super().compute(atoms)
        return results | {"forces": results["forces"].astype(np.float32).astype(float)}


class SinglePrecisionInput(Toy):
    def compute(self, atoms):
        atoms = atoms.copy()
        atoms.positions = atoms.positions.astype(np.float32)
        return super().compute(atoms)


class WrongInSinglePrecision(Toy):
    def compute(self, atoms):
        return _scaled(super().compute(atoms), 1.01 if self.dtype == "float32" else 1.0)


class IgnoresPrecision(Toy):
    def __init__(self, dtype="float64"):
        super().__init__("float64")


# -- derivatives ---------------------------------------------------------------------------------------


class ForcesOnePercentOff(Toy):
    def compute(self, atoms):
        results = super().compute(atoms)
        return results | {"forces": 1.01 * results["forces"]}


class ForcesWithTheWrongSign(Toy):
    def compute(self, atoms):
        results = super().compute(atoms)
        return results | {"forces": -results["forces"]}


class StressInGigapascal(Toy):
    def compute(self, atoms):
        results = super().compute(atoms)
        if "stress" in results:
            results["stress"] = results["stress"] * EV_PER_ANG3_IN_GPA
        return results


class StressInLammpsOrder(Toy):
    """xy, xz, yz instead of yz, xz, xy."""

    def compute(self, atoms):
        results = super().compute(atoms)
        if "stress" in results:
            results["stress"] = results["stress"][[0, 1, 2, 5, 4, 3]]
        return results


class NoSwitchingForClusters(Toy):
    """The branch without periodic boundaries was written earlier."""

    def compute(self, atoms):
        self._cluster = not atoms.pbc.any()
        return super().compute(atoms)

    def switch(self, r):
        return (np.ones_like(r), np.zeros_like(r)) if self._cluster else super().switch(r)


# -- symmetry ------------------------------------------------------------------------------------------


class ForcesSortedTwice(Toy):
    """Sorts by species and uses the order where its inverse is needed; unnoticed if they are equal."""

    def compute(self, atoms):
        order = np.argsort(atoms.numbers, kind="stable")
        results = super().compute(atoms[order])
        return results | {"forces": results["forces"][order]}


class NotIsotropic(Toy):
    """A bond along x is a little stronger."""

    def pair(self, vectors, a, b):
        energies, gradients = super().pair(vectors, a, b)
        r = np.linalg.norm(vectors, axis=1)[:, None]
        u = vectors / r
        factor = 1 + 0.01 * u[:, :1] ** 2
        turn = 0.02 * u[:, :1] * (np.eye(3)[0] - u[:, :1] * u) / r
        return energies * factor[:, 0], gradients * factor + energies[:, None] * turn


class BoxFromTheOrigin(Toy):
    """Without a cell it makes a box [-5, inf) and forgets who is outside."""

    def bonds(self, atoms):
        i, j, vectors = super().bonds(atoms)
        inside = (atoms.positions > -5).all(axis=1) | atoms.pbc.any()
        keep = inside[i] & inside[j]
        return i[keep], j[keep], vectors[keep]


class NeedsWrappedAtoms(Toy):
    def wrapped(self, positions, cell, pbc):
        return positions


# -- size and surroundings -----------------------------------------------------------------------------


class ForgetsTheThirteenth(Toy):
    """A buffer of fixed size."""

    def bonds(self, atoms):
        i, j, vectors = super().bonds(atoms)
        keep = (i < 12) & (j < 12)
        return i[keep], j[keep], vectors[keep]


class MeanInsteadOfSum(Toy):
    def compute(self, atoms):
        return _scaled(super().compute(atoms), 1 / len(atoms))


class ImagesFromEdges(Toy):
    """Counts images by the lengths of lattice vectors instead of the distances of planes."""

    def n_images(self, cell):
        return np.floor(CUTOFF / np.linalg.norm(cell, axis=1) + 1).astype(int)


class MinimumImageOnly(Toy):
    """Only the nearest image of each other atom."""

    def bonds(self, atoms):
        i, j, vectors = super().bonds(atoms)
        order = np.lexsort((np.linalg.norm(vectors, axis=1), j, i))
        _, first = np.unique(i[order] * len(atoms) + j[order], return_index=True)
        keep = order[first]
        keep = keep[i[keep] != j[keep]]
        return i[keep], j[keep], vectors[keep]


class NeverPeriodic(Toy):
    def periodic(self, atoms):
        return np.zeros(3, bool), np.eye(3)


class PushesTheOnlyAtom(Toy):
    def compute(self, atoms):
        results = super().compute(atoms)
        if len(atoms) == 1 and atoms.pbc.all() and atoms.get_volume() < 100:
            results["forces"] = results["forces"] + 0.01
        return results


class NeedsNeighbours(Toy):
    def compute(self, atoms):
        if len(atoms) == 1 and not atoms.pbc.any():
            raise IndexError("index 0 is out of bounds for axis 0 with size 0")
        return super().compute(atoms)


class NanWithoutNeighbours(Toy):
    def compute(self, atoms):
        results = super().compute(atoms)
        return results | {"energy": np.nan} if len(atoms) == 1 and not atoms.pbc.any() else results


class PeriodicIfThereIsACell(Toy):
    def periodic(self, atoms):
        pbc, cell = super().periodic(atoms)
        return pbc if pbc.any() else atoms.cell.lengths() > 0, cell


class AllOrNothing(Toy):
    """pbc=True in one direction is taken for all."""

    def periodic(self, atoms):
        pbc, cell = super().periodic(atoms)
        return np.full(3, pbc.any()), cell


# -- state ---------------------------------------------------------------------------------------------


class CachedByNumberOfAtoms(Toy):
    """What rootstock 0.4 did."""

    def __init__(self, dtype="float64"):
        super().__init__(dtype)
        self._seen: dict[int, Any] = {}

    def compute(self, atoms):
        return dict(self._seen.setdefault(len(atoms), super().compute(atoms)))


class _Remembers(Toy):
    """Takes one thing from an earlier call unless atoms moved or their number changed."""

    what = ""

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        old = self.atoms
        if old is not None and len(old) == len(atoms) and "positions" not in system_changes:
            atoms = atoms.copy()
            setattr(atoms, self.what, getattr(old, self.what))
        super().calculate(atoms, properties, system_changes)


class RemembersSpecies(_Remembers):
    what = "numbers"


class RemembersCell(_Remembers):
    what = "cell"


class RemembersPbc(_Remembers):
    what = "pbc"


class WorksOnlyForTheEnergy(Toy):
    """Asked for forces alone, it gives those of the last energy."""

    _last: dict[str, Any] | None = None

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        if "energy" in properties or self._last is None or len(self._last["forces"]) != len(atoms):
            super().calculate(atoms, properties, system_changes)
            self._last = self.results
        self.results = dict(self._last)


class WrapsItsInput(Toy):
    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        atoms.wrap()
        super().calculate(atoms, properties, system_changes)


class WritesIntoInfo(Toy):
    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        atoms.info["energy"] = self.results["energy"]


class AppliesConstraints(Toy):
    def compute(self, atoms):
        results = super().compute(atoms)
        for constraint in atoms.constraints:
            constraint.adjust_forces(atoms, results["forces"])
        return results


class NoisyStress(Toy):
    """The order of a parallel sum, at 1e-8."""

    _random = np.random.default_rng()

    def compute(self, atoms):
        results = super().compute(atoms)
        if "stress" in results:
            results["stress"] = results["stress"] * (1 + 1e-8 * self._random.normal())
        return results


class SetsVariable(Toy):
    def __init__(self, dtype="float64"):
        super().__init__(dtype)
        os.environ["MLPZOO_PLANTED_BUG"] = "1"


class SeedsTheWorld(Toy):
    def compute(self, atoms):
        np.random.seed(0)  # noqa: NPY002
        return super().compute(atoms)


class SilencesWarnings(Toy):
    def __init__(self, dtype="float64"):
        super().__init__(dtype)
        warnings.filterwarnings("ignore", message="a planted bug")


class SilencesNumpy(Toy):
    def compute(self, atoms):
        np.seterr(all="ignore")
        return super().compute(atoms)


class SetsDefaultDtype(Toy):
    """With a stand-in for torch; see ``test_kit.py``."""

    def __init__(self, dtype="float64"):
        super().__init__(dtype)
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_default_dtype(getattr(torch, dtype))


class Talks(Toy):
    def compute(self, atoms):
        sys.stdout.write("evaluating\n")
        return super().compute(atoms)


class TalksBelowPython(Toy):
    def compute(self, atoms):
        os.write(1, b"evaluating\n")
        return super().compute(atoms)


# -- many at once --------------------------------------------------------------------------------------


class ReversesTheBatch(Toy):
    def evaluate_many(self, frames):
        return super().evaluate_many(frames)[::-1]


class ForcesOfTheLastOfItsSize(Toy):
    """Written into one buffer for each number of atoms."""

    def evaluate_many(self, frames):
        buffers: dict[int, Any] = {}
        found = super().evaluate_many(frames)
        for one in found:
            buffers.setdefault(len(one.forces_ev_per_ang), np.zeros_like(one.forces_ev_per_ang))[:] = (
                one.forces_ev_per_ang
            )
        return [replace(one, forces_ev_per_ang=buffers[len(one.forces_ev_per_ang)]) for one in found]


class EnergyOfTheFirst(Toy):
    def evaluate_many(self, frames):
        found = super().evaluate_many(frames)
        return [replace(one, energy_ev=found[0].energy_ev) for one in found]


class CellOfTheFirst(Toy):
    def evaluate_many(self, frames):
        frames = [atoms.copy() for atoms in frames]
        for atoms in frames:
            atoms.cell, atoms.pbc = frames[0].cell, frames[0].pbc
        return super().evaluate_many(frames)


class ForgetsTheLastOfTheBatch(Toy):
    def evaluate_many(self, frames):
        return super().evaluate_many(frames)[: max(1, len(frames) - 1)]


class SinglePrecisionBatch(Toy):
    def evaluate_many(self, frames):
        found = super().evaluate_many(frames)
        return [
            replace(one, forces_ev_per_ang=one.forces_ev_per_ang.astype(np.float32).astype(float))
            for one in found
        ]


# -- scale ---------------------------------------------------------------------------------------------


class LongerAngstrom(Toy):
    """Lengths scaled by 0.85 on the way in, forces and stress consistently."""

    factor = 0.85

    def compute(self, atoms):
        atoms = atoms.copy()
        atoms.cell[:] *= self.factor
        atoms.positions *= self.factor
        results = super().compute(atoms)
        results["forces"] = results["forces"] * self.factor
        if "stress" in results:
            results["stress"] = results["stress"] * self.factor**3
        return results


class Hartree(Toy):
    def compute(self, atoms):
        return _scaled(super().compute(atoms), HARTREE_IN_EV)


class KiloCalories(Toy):
    def compute(self, atoms):
        return _scaled(super().compute(atoms), 23.06)


class OtherWeights(Toy):
    def compute(self, atoms):
        return _scaled(super().compute(atoms), 1.0001)


# -- training ------------------------------------------------------------------------------------------


class _Trains(ToyBackend):
    """Changes what was trained."""

    def train(self, job):
        trained = super().train(job)
        content = json.loads(trained.path.read_text())
        trained.path.write_text(json.dumps(content | self.changed(content, job)))
        return trained

    def changed(self, content, job):
        return {}


class LearnsNothing(_Trains):
    def changed(self, content, job):
        return {"solution": [0.0] * len(content["solution"])}


class TellsWhereItWasMade(_Trains):
    def changed(self, content, job):
        return {"made_in": str(job.directory)}


class CitesNobody(ToyBackend):
    def train(self, job):
        return replace(super().train(job), citation="")


class ExplainsNothing(ToyBackend):
    def presets(self):
        settings = {name: replace(s, meaning="") for name, s in super().presets()["smoke"].settings.items()}
        return super().presets() | {"smoke": replace(super().presets()["smoke"], settings=settings)}


class ForgetsTheSeed(_Trains):
    """The order of a parallel sum, at 1e-3."""

    _count = 0

    def changed(self, content, job):
        self._count += 1
        return {"solution": [value * (1 + 1e-3 * self._count) for value in content["solution"]]}


class StartsAnew(ToyBackend):
    def train(self, job):
        (job.directory / "state.npz").unlink(missing_ok=True)
        return super().train(job)


class ForgetsHalfOfItsState(ToyBackend):
    def train(self, job):
        checkpoint = Checkpoint(job.directory / "state")
        stored = checkpoint.load()
        if stored:
            checkpoint.save(**stored | {"b": 0 * stored["b"]})
        return super().train(job)


class CannotBeStopped(ToyBackend):
    def train(self, job):
        def progress(*told):
            with contextlib.suppress(Exception):
                job.progress(*told)

        return super().train(replace(job, progress=progress))


# -- everything ----------------------------------------------------------------------------------------


class AlwaysRaises(Toy):
    def compute(self, atoms):
        raise RuntimeError("CUDA error: device-side assert triggered")


class AlwaysNan(Toy):
    def compute(self, atoms):
        return _scaled(super().compute(atoms), np.nan)


class CannotBeBuilt(Toy):
    def __init__(self, dtype="float64"):
        raise ModelError("weights missing", hint="fetch them")


def _scaled(results, factor):
    return {name: factor * value for name, value in results.items()}


@dataclass(frozen=True)
class Bug:
    """A planted bug.

    Attributes:
        make: The broken calculator.
        backend: The broken backend.
        fails: Checks that must fail.
        exactly: No other check may fail; False for bugs that break the numbers everywhere.
        card: Changes to the card.
    """

    make: type[Toy]
    fails: tuple[str, ...]
    exactly: bool = True
    backend: type[ToyBackend] = ToyBackend
    card: dict[str, Any] = field(default_factory=dict)
    title: str = ""

    @property
    def name(self) -> str:
        return self.title or (self.make if self.make is not Toy else self.backend).__name__


EVERYTHING = ("*",)

BUGS = (
    Bug(Toy, ("card",), card={"licence": ""}, title="NoLicence"),
    Bug(Toy, ("card",), card={"level_of_theory": ""}, title="NoLevelOfTheory"),
    Bug(StressOnlyWithEnergy, ("properties",)),
    Bug(GoldIsSilver, ("elements",)),
    Bug(Toy, ("elements",), card={"elements": (*CARD.elements, "Pu")}, title="ClaimsPlutonium"),
    Bug(EverythingIsCopper, ("unknown-element",), card={"elements": ()}),
    Bug(SinglePrecisionForces, ("float64",)),
    Bug(SinglePrecisionInput, ("float64", "forces"), exactly=False),
    Bug(WrongInSinglePrecision, ("float32",)),
    Bug(IgnoresPrecision, ("float32",)),
    Bug(ForcesOnePercentOff, ("forces",)),
    Bug(ForcesWithTheWrongSign, ("forces",)),
    Bug(StressInGigapascal, ("stress",)),
    Bug(StressInLammpsOrder, ("stress", "rotation")),
    Bug(NoSwitchingForClusters, ("smooth-cutoff",)),
    Bug(ForcesSortedTwice, ("permutation",)),
    Bug(NotIsotropic, ("rotation",)),
    Bug(BoxFromTheOrigin, ("translation",)),
    Bug(NeedsWrappedAtoms, ("wrapping",)),
    Bug(ForgetsTheThirteenth, ("extensivity",)),
    Bug(MeanInsteadOfSum, ("extensivity", "small-cells")),
    Bug(ImagesFromEdges, ("small-cells",)),
    Bug(MinimumImageOnly, ("extensivity", "small-cells"), exactly=False),
    Bug(NeverPeriodic, ("extensivity", "small-cells", "wrapping"), exactly=False),
    Bug(PushesTheOnlyAtom, ("one-atom",)),
    Bug(NeedsNeighbours, ("isolated-atom",)),
    Bug(NanWithoutNeighbours, ("isolated-atom",)),
    Bug(PeriodicIfThereIsACell, ("molecule",)),
    Bug(AllOrNothing, ("slab",)),
    Bug(Toy, ("cutoff",), card={"cutoff_ang": 4.0}, title="CutoffTooSmall"),
    Bug(CachedByNumberOfAtoms, ("no-state", "forces"), exactly=False),
    Bug(RemembersSpecies, ("no-state",)),
    Bug(RemembersCell, ("no-state",)),
    Bug(RemembersPbc, ("no-state",)),
    Bug(WorksOnlyForTheEnergy, ("shared-calculator",)),
    Bug(WrapsItsInput, ("atoms-untouched",)),
    Bug(WritesIntoInfo, ("atoms-untouched",)),
    Bug(AppliesConstraints, ("annotations",)),
    Bug(NoisyStress, ("deterministic",)),
    Bug(SetsVariable, ("global-state",)),
    Bug(SeedsTheWorld, ("global-state",)),
    Bug(SilencesWarnings, ("global-state",)),
    Bug(SilencesNumpy, ("global-state",)),
    Bug(SetsDefaultDtype, ("global-state",)),
    Bug(Talks, ("quiet",)),
    Bug(TalksBelowPython, ("quiet",)),
    Bug(ReversesTheBatch, ("many-at-once",)),
    Bug(ForcesOfTheLastOfItsSize, ("many-at-once",)),
    Bug(EnergyOfTheFirst, ("many-at-once",)),
    Bug(CellOfTheFirst, ("many-at-once",)),
    Bug(ForgetsTheLastOfTheBatch, ("many-at-once",)),
    Bug(SinglePrecisionBatch, ("many-at-once",)),
    Bug(LongerAngstrom, ("lattice-constant",), card={"cutoff_ang": CUTOFF / LongerAngstrom.factor}),
    Bug(Hartree, ("bulk-modulus",)),
    Bug(KiloCalories, ("bulk-modulus",)),
    Bug(OtherWeights, ("golden",)),
    Bug(Toy, ("trains",), backend=LearnsNothing),
    Bug(Toy, ("trains",), backend=TellsWhereItWasMade),
    Bug(Toy, ("trains",), backend=CitesNobody),
    Bug(Toy, ("trains",), backend=ExplainsNothing),
    Bug(Toy, ("training-seed",), backend=ForgetsTheSeed),
    Bug(Toy, ("training-resumes",), backend=StartsAnew),
    Bug(Toy, ("training-resumes",), backend=ForgetsHalfOfItsState),
    Bug(Toy, ("training-resumes",), backend=CannotBeStopped),
    Bug(AlwaysRaises, EVERYTHING),
    Bug(AlwaysNan, EVERYTHING),
    Bug(CannotBeBuilt, EVERYTHING),
)
