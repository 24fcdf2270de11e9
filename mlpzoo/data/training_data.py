"""What a model is trained, validated and tested on: chosen, checked, and none of it twice."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlpzoo.data.selection import SUFFIX, TEST, VALIDATION, Part, names_files, read
from mlpzoo.errors import DataError, UsageError

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.data.manifest import Level
    from mlpzoo.data.spec import DatasetSpec

EVERY: Final = 20
"""One frame of so many is held out for validation if no file is for that."""
_OF_A_LEVEL: Final = ("level_of_theory", "code", "settings", "pseudopotentials")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Everything that one training needs of data.

    Attributes:
        train: Parts to learn from.
        validation: Parts to choose an epoch with.
        tests: Name to parts, for errors only.
        held_out: How the validation frames were chosen, if no file says so; else empty.
        remarks: What a reader of the card must know: stresses left out, tests at another level or trained on.
        with_stress: Whether stresses are learnt: every training frame has one.
    """

    train: tuple[Part, ...]
    validation: tuple[Part, ...]
    tests: Mapping[str, tuple[Part, ...]]
    held_out: str = ""
    remarks: tuple[str, ...] = ()
    with_stress: bool = False

    @property
    def level(self) -> Level:
        """What the labels were computed with."""
        return self.train[0].dataset.spec.reference

    @property
    def sha256(self) -> str:
        """Of the training file, as in its ``dataset.toml``; of several, of all their names and hashes."""
        hashes = {part.label: part.sha256 for part in self.train}
        if len(hashes) == 1:
            return next(iter(hashes.values()))
        text = "".join(f"{label}\0{sha256}\n" for label, sha256 in sorted(hashes.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def identity(self) -> str:
        """Of the very frames that are trained on and validated with."""
        parts = [
            (kind, part.label, part.sha256, part.indices)
            for kind, group in (("train", self.train), ("validation", self.validation))
            for part in group
        ]
        return hashlib.sha256(repr((parts, self.with_stress)).encode()).hexdigest()

    @property
    def described(self) -> str:
        """``si:crystal (200 frames), si:vacancy (80 frames)``."""
        return ", ".join(f"{part.label} ({len(part.indices)} frames)" for part in self.train)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the training sets."""
        return tuple(dict.fromkeys(part.source for part in self.train))

    @property
    def licences(self) -> tuple[str, ...]:
        """Of the training sets."""
        return tuple(dict.fromkeys(part.dataset.spec.licence for part in self.train))

    @property
    def citations(self) -> tuple[str, ...]:
        """Of the training sets."""
        return tuple(dict.fromkeys(part.dataset.spec.citation for part in self.train))

    def frames(self, parts: Iterable[Part], *, for_test: bool = False) -> list[Atoms]:
        """The structures of some parts with their labels; tests keep their stresses whatever was learnt."""
        with_stress = for_test or self.with_stress
        return [atoms for part in parts for atoms in part.labelled(with_stress=with_stress)]


def training_data(
    data: Sequence[str], tests: Sequence[str], known: Mapping[str, DatasetSpec], *, seed: int
) -> TrainingData:
    """Choose and check the frames of a training.

    A file ``validation`` of a set is the validation set, a file ``test`` is for testing: neither is ever
    trained on.  All others are, or those that are named.  Without a file ``validation`` every 20th frame is
    held out.

    Args:
        data: ``NAME[:FILE[+FILE...]]`` each; see `mlpzoo.data.selection.read`.
        tests: Likewise; without files, the file ``test``, or all files of a set that has none.
        known: Data sets by name.
        seed: Of the choice of held-out frames.

    Raises:
        UsageError: Nothing to train on is named, or a file that is never trained on.
        DataError: Sets of different levels of theory; a frame to learn from and to validate with; anything
            wrong in a set.
    """
    if not data:
        raise UsageError("no data set named", hint="--data NAME; see 'mlpzoo data list'")
    train, validation = _split(data, read(data, known, "--data"))
    require_one_level([*train, *validation])
    named = dict(_tests(text, parts) for text, parts in read(tests, known, "--test").items())
    held_out = ""
    if not validation:
        train, validation, held_out = hold_out(train, seed=seed)
    require_no_copies(train, validation)
    with_stress = all(part.dataset.stresses is not None for part in train)
    return TrainingData(
        train=tuple(train),
        validation=tuple(validation),
        tests=named,
        held_out=held_out,
        remarks=tuple(_remarks(train, named)),
        with_stress=with_stress,
    )


def _split(texts: Sequence[str], read_: Mapping[str, Sequence[Part]]) -> tuple[list[Part], list[Part]]:
    """Parts to train on, and the files that are called ``validation``, of every set that is trained on."""
    train: list[Part] = []
    validation: dict[str, Part] = {}
    for text in texts:
        for part in read_[text]:
            if part.file not in (VALIDATION, TEST):
                train.append(part)
            elif names_files(text):
                use = "it is used by itself" if part.file == VALIDATION else f"--test {part.label}"
                raise UsageError(f"--data {part.label}: '{part.file}' is never trained on", hint=use)
        some = read_[text][0]
        if f"{VALIDATION}{SUFFIX}" in some.dataset.files:
            frames = some.dataset.files[f"{VALIDATION}{SUFFIX}"]
            validation[some.dataset.sha256] = dataclasses.replace(
                some, file=VALIDATION, indices=tuple(frames)
            )
    if not train:
        raise UsageError(
            f"nothing to train on in {', '.join(texts)}",
            hint="files called 'validation' and 'test' are never trained on",
        )
    return train, list(validation.values())


def _tests(text: str, parts: Sequence[Part]) -> tuple[str, tuple[Part, ...]]:
    """Name and parts of a test set: of a set without named files, its file ``test`` if it has one."""
    own = [part for part in parts if part.file == TEST]
    chosen = tuple(parts if names_files(text) or not own else own)
    return f"{chosen[0].source}:{'+'.join(part.file for part in chosen)}", chosen


def hold_out(train: Sequence[Part], *, seed: int) -> tuple[list[Part], list[Part], str]:
    """Take every 20th frame, at least one of them and at least 5 %; copies of a frame go with it.

    Returns:
        What is left, what is held out, and how that was done, in words.

    Raises:
        DataError: There is but one structure.
    """
    import numpy as np

    where = [(p, index) for p, part in enumerate(train) for index in part.indices]
    prints = [train[p].fingerprint(index) for p, index in where]
    n = len(where)
    every = min(EVERY, n)
    first = int(np.random.default_rng(seed).integers((n - 1) % every + 1))
    chosen = {prints[k] for k in range(first, n, every)}
    out = {place for place, text in zip(where, prints, strict=True) if text in chosen}
    if len(out) == n:
        raise DataError("there is one structure only: nothing is left to train on", hint="give more frames")
    kept: list[Part] = []
    held: list[Part] = []
    for p, part in enumerate(train):
        for group, wanted in ((kept, False), (held, True)):
            indices = tuple(i for i in part.indices if ((p, i) in out) is wanted)
            if indices:
                group.append(dataclasses.replace(part, indices=indices))
    return kept, held, f"{len(out)} of {n} frames held out: every {every}th from frame {first} (seed {seed})"


def require_one_level(parts: Sequence[Part]) -> None:
    """Energies of different codes, settings or pseudopotentials do not belong together.

    Raises:
        DataError: Naming two sets and what differs.
    """
    first = parts[0]
    for part in parts[1:]:
        difference = _difference(first, part)
        if difference:
            raise DataError(
                f"'{first.source}' and '{part.source}' are of different levels of theory: {difference}",
                hint="train on sets of one level; energies of two cannot be compared",
            )


def _difference(one: Part, other: Part) -> str:
    """The first thing that differs between two levels of theory; empty if nothing does."""
    levels = (one.dataset.spec.reference, other.dataset.spec.reference)
    for name in _OF_A_LEVEL:
        a, b = (getattr(level, name) for level in levels)
        if a != b:
            if isinstance(a, dict):
                key = next(k for k in sorted({*a, *b}) if a.get(k) != b.get(k))
                return f"{name}.{key} is {_shown(a.get(key))} and {_shown(b.get(key))}"
            return f"{name} is {_shown(a)} and {_shown(b)}"
    return ""


def _shown(value: Any) -> str:
    return "not given" if value in ("", None) else f"'{value}'" if isinstance(value, str) else str(value)


def copies(train: Sequence[Part], others: Sequence[Part]) -> Iterator[tuple[str, str]]:
    """Frames that are also trained on: where they are, and where their copy is."""
    seen = {part.fingerprint(index): part.where(index) for part in reversed(train) for index in part.indices}
    for part in others:
        for index in part.indices:
            copy = seen.get(part.fingerprint(index))
            if copy is not None:
                yield part.where(index), copy


def require_no_copies(train: Sequence[Part], validation: Sequence[Part]) -> None:
    """No structure chooses the epoch that was learnt by heart.

    Raises:
        DataError: Naming both files and frames.
    """
    for where, copy in copies(train, validation):
        raise DataError(
            f"{where} is to validate with, and is also trained on: {copy}",
            hint="the same structure up to order, translation, rotation and reflection; remove one of them",
        )


def _remarks(train: Sequence[Part], tests: Mapping[str, Sequence[Part]]) -> Iterator[str]:
    with_stress = {part.source: part.dataset.stresses is not None for part in train}
    if len(set(with_stress.values())) > 1:
        lacking = ", ".join(name for name, has in with_stress.items() if not has)
        yield f"stresses are left out: {lacking} has none"
    for name, parts in tests.items():
        difference = _difference(train[0], parts[0])
        if difference:
            yield f"test {name} was labelled otherwise than the training set: {difference}"
        same = list(copies(train, parts))
        if same:  # in published sets, too: shears of opposite sign in mlearn-si
            n = sum(len(part.indices) for part in parts)
            (where, copy), rest = same[0], f" and {len(same) - 1} more" * (len(same) > 1)
            yield f"{len(same)} of {n} frames of {name} are also trained on: {where} is {copy}{rest}"
