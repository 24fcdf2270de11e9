"""An ASE calculator whose framework lives in another process."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from mlpzoo import wire
from mlpzoo.errors import BadNumberError, CalculationError, UnsupportedElementError, WorkerError, ZooError
from mlpzoo.results import pack, unpack
from mlpzoo.workers import START_TIMEOUT_S, Worker

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.models import ModelCard

_EXTRAS = ("initial_magmoms", "initial_charges")
_RAISED_THERE: dict[str, type[ZooError]] = {
    cls.__name__: cls for cls in (BadNumberError, CalculationError, UnsupportedElementError)
}


class RemoteCalculator(Calculator):
    """The inner calculator of `ZooCalculator` when the framework is elsewhere.

    Results are the same to the last bit: what travels is the binary representation.  The worker ends
    with this object, with `close`, or with this process.

    Args:
        worker: A running worker.
        request: What it is to open.

    Attributes:
        seconds_there: How long the last force call took inside the worker.
    """

    def __init__(self, worker: Worker, request: wire.Open) -> None:
        super().__init__()
        self._worker = worker
        opened: wire.Opened = worker.ask(request, timeout_s=START_TIMEOUT_S)
        self.card: ModelCard = opened.card
        self.frameworks = opened.frameworks
        self.implemented_properties = list(opened.card.properties)
        self.seconds_there = 0.0
        self._end = weakref.finalize(self, worker.close)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """One force call over the channel.

        Raises:
            WorkerError: The worker died, or raised an exception that is not mlpzoo's.
            CalculationError: Of the calculation itself, as in this process.
        """
        del system_changes
        assert atoms is not None  # noqa: S101  (always called by ZooCalculator)
        request = wire.Calculate(
            numbers=pack(atoms.numbers),
            positions=pack(atoms.positions),
            cell=pack(atoms.cell.array),
            pbc=(bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
            extras={n: pack(atoms.arrays[n]) for n in _EXTRAS if n in atoms.arrays},
            properties=list(properties),
        )
        try:
            reply: wire.Calculated = self._worker.ask(request)
        except WorkerError as error:
            known = _RAISED_THERE.get(error.kind)
            if known is not None:
                raise known(error.message, hint=error.hint) from None
            raise
        self.seconds_there = reply.seconds
        self.results = {k: _plain(unpack(v)) for k, v in reply.results.items()}

    def close(self) -> None:
        """End the worker."""
        self._end()


def _plain(array: np.ndarray[Any, Any]) -> Any:
    return float(array) if array.ndim == 0 else np.array(array)
