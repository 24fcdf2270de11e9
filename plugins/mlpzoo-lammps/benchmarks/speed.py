"""CPU time a call for 64 atoms, of each card for silicon.  Run it where LAMMPS is importable."""

import time

from ase.build import bulk
from mlpzoo_lammps.backend import LammpsBackend

from mlpzoo.calculator import ZooCalculator, build
from mlpzoo.models import ModelSpec

BATCHES = 5
SECONDS = 0.3


def milliseconds(calculator: ZooCalculator, *, anew: bool) -> float:
    """The fastest of a few batches of calls."""
    atoms = bulk("Si", cubic=True).repeat(2)
    atoms.rattle(0.05, seed=1)
    atoms.calc = calculator
    atoms.get_forces()
    best = float("inf")
    for _ in range(BATCHES):
        calls, start = 0, time.process_time()
        while time.process_time() - start < SECONDS:
            atoms.positions[0, 0] += 1e-4 * (-1) ** calls
            if anew:
                calculator.reset()
            atoms.get_forces()
            calls += 1
        best = min(best, (time.process_time() - start) / calls)
    return 1e3 * best


def main() -> None:
    """Print a line a card."""
    backend = LammpsBackend()
    for card in backend.cards():
        if card.elements == ("Si",):
            calculator = build(backend, ModelSpec(name=card.name, card=card))
            kept, anew = (milliseconds(calculator, anew=anew) for anew in (False, True))
            print(f"{card.name:24s} lists kept {kept:6.2f} ms   from nothing {anew:6.2f} ms")


if __name__ == "__main__":
    main()
