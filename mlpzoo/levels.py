"""Levels of theory: which reference values a model is compared with.

A model trained on PBE data is right when it reproduces PBE, so its numbers are compared with the reference of
its own level where there is one.  All others are compared with the level that the case lists first.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from mlpzoo.benchmark import Case, Reference
from mlpzoo.errors import UsageError


def same(a: str, b: str) -> bool:
    """Whether two names mean one level: ``pbe`` is ``PBE``."""
    return a.strip().casefold() == b.strip().casefold()


def levels_of(references: Iterable[Reference]) -> tuple[str, ...]:
    """The levels of theory of some reference values, in the order in which they are listed first."""
    found: dict[str, str] = {}
    for reference in references:
        found.setdefault(reference.level_of_theory.strip().casefold(), reference.level_of_theory)
    return tuple(found.values())


def resolve(asked: str, cases: Iterable[Case]) -> str:
    """The level that ``--against`` means, as the references spell it; empty if nothing was asked for.

    Args:
        asked: What was typed; case does not matter.
        cases: All cases of the comparison.

    Raises:
        UsageError: No case has a reference of this level.
    """
    if not asked.strip():
        return ""
    known = levels_of(r for case in cases for r in case.references)
    for level in known:
        if same(level, asked):
            return level
    if not known:
        raise UsageError(
            f"nothing can be compared with '{asked}': no case asked for has reference values",
            hint="leave out --against, or choose other benchmarks; see 'mlpzoo benchmarks'",
        )
    spelt = {level.casefold(): level for level in known}
    near = difflib.get_close_matches(asked.strip().casefold(), spelt, n=1, cutoff=0.5)
    meant = f"did you mean '{spelt[near[0]]}'? " if near else ""
    raise UsageError(
        f"no case asked for has references of level '{asked}'", hint=f"{meant}there are: {', '.join(known)}"
    )


def compared_with(references: Sequence[Reference], own: str, against: str) -> str:
    """The level that one model's numbers are compared with; empty if there are no references.

    Args:
        references: Of the case.
        own: What the model's card declares; empty if nothing is known.
        against: The level that every model is compared with; empty: its own, else the first one listed.
    """
    levels = levels_of(references)
    if not levels:
        return ""
    if against:
        return against
    return next((level for level in levels if same(level, own)), levels[0])


def value_at(references: Sequence[Reference], level: str, quantity: str) -> float | None:
    """The reference value of a quantity at a level; of several, the first one listed."""
    for reference in references:
        if reference.quantity == quantity and same(reference.level_of_theory, level):
            return reference.value
    return None
