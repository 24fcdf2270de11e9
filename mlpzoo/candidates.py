"""Candidates for a choice of model: every combination of families, training sets, settings and seeds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlpzoo.errors import UsageError
from mlpzoo.registry import Registry
from mlpzoo.training import preset_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """A training set with a name.

    Attributes:
        name: For rows of tables: ``original``.
        data: As in ``mlpzoo train --data``: ``NAME[:FILE[+FILE...]]`` each.
    """

    name: str
    data: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> TrainingSet:
        """``NAME=SET:FILE+FILE,SET`` to a training set.

        Raises:
            UsageError: It is not of that form.
        """
        name, equals, data = text.partition("=")
        sets = tuple(part.strip() for part in data.split(",") if part.strip())
        if not equals or not sets or not _NAME.fullmatch(name):
            raise UsageError(
                f"--data {text}: not NAME=SET", hint="e.g. --data original=si-training:strain+vacancy-md"
            )
        return cls(name=name, data=sets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model to be trained.

    Attributes:
        family: Its family.
        training_set: What it is trained on.
        varied: The settings that differ between candidates, as ``NAME=VALUE``.
        seed: Of its training.
        several_seeds: Whether other candidates differ from it in the seed only.
    """

    family: str
    training_set: TrainingSet
    varied: tuple[str, ...]
    seed: int
    several_seeds: bool = False

    @property
    def name(self) -> str:
        """Unique, and fit for a file name."""
        parts = [self.training_set.name, *(pair.replace("=", "-") for pair in self.varied)]
        if self.several_seeds:
            parts.append(f"s{self.seed}")
        return re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(parts))

    @property
    def title(self) -> str:
        """For rows of tables: ``mace original r_max=4.5 seed 1``."""
        seed = (f"seed {self.seed}",) if self.several_seeds else ()
        return " ".join((self.family, self.training_set.name, *self.varied, *seed))


def candidates(
    families: Sequence[str],
    sets: Sequence[TrainingSet],
    vary: Sequence[str],
    seeds: Sequence[int],
    *,
    preset: str,
    registry: Registry,
) -> tuple[Candidate, ...]:
    """Every combination.

    Args:
        families: Names of families that can be trained.
        sets: Training sets.
        vary: ``NAME=V1,V2`` for all families that have the setting, or ``FAMILY.NAME=V1,V2`` for one.
        seeds: Seeds of the trainings.
        preset: All other settings.
        registry: Where the families are.

    Raises:
        UsageError: An unknown family, preset or setting, a wrong value, or two sets of one name.
    """
    names = [one.name for one in sets]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two training sets are called '{name}'", hint="--data NAME=SET")
    grids = {family: _grid(family, vary, families, preset, registry) for family in dict.fromkeys(families)}
    return tuple(
        Candidate(
            family=family, training_set=one, varied=varied, seed=seed, several_seeds=len(set(seeds)) > 1
        )
        for family in grids
        for one in sets
        for varied in grids[family]
        for seed in dict.fromkeys(seeds)
    )


def _grid(
    family: str, vary: Sequence[str], families: Sequence[str], preset: str, registry: Registry
) -> list[tuple[str, ...]]:
    """All combinations of one family's varied settings."""
    presets = {one: preset_of(registry.backend(one).item, preset) for one in dict.fromkeys(families)}
    axes: list[Iterable[str]] = []
    for text in vary:
        key, equals, values = text.partition("=")
        whose, dot, name = key.partition(".")
        chosen = [value.strip() for value in values.split(",") if value.strip()]
        if not equals or not chosen:
            raise UsageError(f"--vary {text}: no values", hint="--vary NAME=V1,V2 or FAMILY.NAME=V1,V2")
        name = name if dot else key
        owners = [one for one in presets if name in presets[one].settings] if not dot else [whose]
        if not owners or owners[0] not in presets:
            known = "; ".join(f"{one}: {', '.join(p.settings)}" for one, p in presets.items())
            raise UsageError(f"--vary {text}: no family here has that setting", hint=known)
        if family in owners:
            pairs = [f"{name}={value}" for value in dict.fromkeys(chosen)]
            for pair in pairs:
                presets[family].with_pairs([pair])  # says what is wrong with it
            axes.append(pairs)
    return list(itertools.product(*axes))
