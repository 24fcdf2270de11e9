"""From a card, or a folder that MatGL saved, to an ASE calculator."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError
from mlpzoo.models import ModelCard
from mlpzoo.plugin_files import lock_beside
from mlpzoo.side_effects import quiet_torch
from mlpzoo_matgl.cards import FILES, cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from matgl.apps.pes import Potential

    from mlpzoo.models import ModelSpec

HINT: Final = f"give the folder with {', '.join(FILES)} that a Potential of MatGL was saved in"


class MatglBackend:
    """The ``matgl`` family."""

    family: Final = "matgl"
    requires: Final = ("matgl", "torch")
    lock_file: Final = lock_beside(__file__)
    random_kinds: Final = ("tensornet", "m3gnet", "chgnet", "so3net")

    def cards(self) -> Sequence[ModelCard]:
        """The published potentials; the first is the default."""
        return cards()

    def calculator(self, spec: ModelSpec) -> Calculator:
        """An ASE calculator of the potential in the folder ``spec.path``.

        Raises:
            ModelError: A file is missing, it is no potential of energies, or it does not know an element of
                its card.
        """
        potential = _load(spec)
        absent = set(spec.card.elements if spec.card else ()) - set(potential.model.element_types)
        if absent:
            raise ModelError(
                f"{spec.name}: its card lists {', '.join(sorted(absent))}, which {spec.path} does not know",
                hint=f"if these are the right files, use them as matgl:{spec.path}, with their elements",
            )
        with quiet_torch():
            from mlpzoo_matgl.calculator import MatglCalculator

            calculator: Calculator = MatglCalculator(potential, device=spec.device, dtype=spec.dtype)
        return calculator

    def describe(self, spec: ModelSpec) -> ModelCard:
        """The card of the user's own potential: its elements and its cutoff.

        Raises:
            ModelError: As for `calculator`.
        """
        model = _load(spec).model
        return ModelCard(
            name=spec.name,
            family=self.family,
            elements=tuple(model.element_types),
            properties=("energy", "forces", "stress"),
            cutoff_ang=float(model.cutoff),
        )

    def random_model(self, kind: str, directory: Path) -> Path:
        """Save a tiny potential with random weights; see `mlpzoo.testing.RandomModels`."""
        with quiet_torch():
            from mlpzoo_matgl.random_models import write

            return write(kind, directory)


def _load(spec: ModelSpec) -> Potential:
    """MatGL's torch module, in the precision of its file.

    MatGL looks for what it does not find on the internet, so all must be there before it is asked.
    """
    path = Path(spec.path or "")
    if path.name in FILES:
        path = path.parent
    missing = [name for name in FILES if not (path / name).is_file()]
    if spec.path is None or missing:
        raise ModelError(f"{spec.name}: there is no {', '.join(missing)} in {spec.path}", hint=HINT)
    with quiet_torch():
        import matgl
        from matgl.apps.pes import Potential

        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                potential = matgl.load_model(path)
        except Exception as error:
            cause = error.__cause__ or error
            raise ModelError(
                f"{spec.name}: matgl cannot load {path}: {type(cause).__name__}: {cause}", hint=HINT
            ) from error
        if any("Incompatible model version" in str(warning.message) for warning in said):
            raise ModelError(
                f"{spec.name}: {path} was saved by an older matgl, and would give wrong numbers in this one",
                hint="fetch a newer release of the model, or train it again",
            )
        if not isinstance(potential, Potential):
            kind = type(potential).__name__
            raise ModelError(f"{spec.name}: {path} holds a {kind} for properties, no potential", hint=HINT)
        if potential.calc_charge:
            raise ModelError(
                f"{spec.name}: {path} equilibrates charges, which is not offered",
                hint="use one of TensorNet, M3GNet, CHGNet or SO3Net",
            )
        return potential.eval()
