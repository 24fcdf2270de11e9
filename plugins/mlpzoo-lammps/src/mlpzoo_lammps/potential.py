"""Files with the ``pair_style`` and ``pair_coeff`` lines of a potential: reading them, without LAMMPS.

Nothing but a potential gets through: LAMMPS itself can run programs, write files and read other scripts, so
that every other command is refused, and so is every character with which a line could become one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ase.data import chemical_symbols

from mlpzoo.errors import ModelError

ACCEPTED: Final = ("pair_style", "pair_coeff", "labelmap", "mass", "units")
FORBIDDEN: Final = "$\"'`\\;|"
"""Variables, quotes, escapes, pipes."""
RUNS_CODE: Final = ("python", "unified", "mliappy")
"""Words of a ``pair_style`` that let a file bring Python code: of the style ``python``, and of ``mliap``."""
MEAM: Final = ("meam", "meam/c", "meam/ms")
"""Styles that name their elements twice: those of the library, then those of the atom types."""
SYMBOLS: Final = frozenset(chemical_symbols[1:])
HINT: Final = "a potential is a file with one 'pair_style' line and 'pair_coeff' lines, in metal units"


@dataclass(frozen=True, slots=True, kw_only=True)
class Potential:
    """A potential, in LAMMPS's words.

    Attributes:
        style: What follows ``pair_style``.
        coefficients: What follows each ``pair_coeff``.
        labels: What follows ``labelmap``; empty if there is none.
        elements: Chemical symbol of each atom type, from type 1 on.
    """

    style: tuple[str, ...]
    coefficients: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...] = ()
    elements: tuple[str, ...]

    def commands(self, folders: Sequence[Path]) -> list[str]:
        """The lines to give to LAMMPS, with names of files looked up and made absolute.

        Args:
            folders: Where files may be, in the order in which they are looked for.

        Raises:
            ModelError: A file is in none of them.
        """
        label = [f"labelmap {' '.join(self.labels)}"] if self.labels else []
        return label + [" ".join(self._place(word, folders) for word in line) for line in self._as_lines()]

    def files(self, folders: Sequence[Path]) -> list[Path]:
        """The files that the lines name and that are in one of these folders, sorted."""
        words = [word for line in self._as_lines() for word in line if self._may_be_a_file(word)]
        return sorted({found for word in words if (found := _find(word, folders)) is not None})

    def _as_lines(self) -> list[tuple[str, ...]]:
        return [("pair_style", *self.style), *(("pair_coeff", *words) for words in self.coefficients)]

    def _may_be_a_file(self, word: str) -> bool:
        styles = [styled for styled in self.style if "." not in styled]  # the others may be files
        return not (word in SYMBOLS or word in styles or word in {"NULL", "*"} or _is_number(word))

    def _place(self, word: str, folders: Sequence[Path]) -> str:
        """A word of a line; the absolute path, if it is the name of a file."""
        if not self._may_be_a_file(word):
            return word
        path = _find(word, folders)
        if path is not None:
            found = str(path)
            if any(c in FORBIDDEN or not c.isprintable() for c in found):
                raise ModelError(f"LAMMPS cannot be given the path {found!r}", hint="move the file elsewhere")
            return f'"{found}"' if " " in found else found
        if re.search(r"\.\D", word) or "/" in word[1:]:
            places = " and ".join(str(folder) for folder in folders)
            raise ModelError(f"there is no file {word} in {places}", hint="give its path, or put it there")
        return word


def read_potential(path: Path) -> Potential:
    """Read a file of ``pair_style`` and ``pair_coeff`` lines.

    ``units metal`` and ``mass`` may be there and say nothing new; ``labelmap atom 1 Cu`` says which element
    an atom type is, for styles that do not name elements themselves.

    Raises:
        ModelError: It is missing, or holds anything else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: no potential: {error}", hint=HINT) from error
    return parse_potential(text, str(path))


def parse_potential(text: str, name: str) -> Potential:
    """The potential in ``text``; ``name`` stands in messages.

    Raises:
        ModelError: A command is not accepted, or one is missing.
    """
    style: tuple[str, ...] = ()
    coefficients: list[tuple[str, ...]] = []
    labels: tuple[str, ...] = ()
    for command, *words in _lines(text, name):
        if command not in ACCEPTED:
            raise ModelError(
                f"{name}: the command '{command}' is refused; accepted are {', '.join(ACCEPTED)}", hint=HINT
            )
        if command == "pair_style":
            if style or not words:
                raise ModelError(f"{name}: not one 'pair_style' with a style", hint=HINT)
            style = tuple(words)
        elif command == "pair_coeff":
            coefficients.append(tuple(words))
        elif command == "labelmap":
            labels = tuple(words)
        elif command == "units" and words != ["metal"]:
            raise ModelError(f"{name}: the units are {' '.join(words)}, not metal", hint="convert the file")
    if not style or not coefficients:
        raise ModelError(f"{name}: no {'pair_coeff' if style else 'pair_style'} line", hint=HINT)
    code = sorted({word for word in style if word in RUNS_CODE})
    if code:
        raise ModelError(
            f"{name}: the pair style {' '.join(style)} is refused: '{code[0]}' runs Python code of a file",
            hint="use a potential that is data only",
        )
    elements = _labelled(labels, name) if labels else _named(style, coefficients, name)
    return Potential(style=style, coefficients=tuple(coefficients), labels=labels, elements=elements)


def _lines(text: str, name: str) -> Iterator[list[str]]:
    """The words of each command; ``&`` goes on with the next line, ``#`` starts a comment."""
    pending: list[str] = []
    for line in [*text.splitlines(), ""]:
        words = [*pending, *line.partition("#")[0].split()]
        pending = []
        if words and words[-1] == "&":
            pending = words[:-1]
            continue
        for word in words:
            bad = next((c for c in word if c in FORBIDDEN or not c.isprintable()), "")
            if bad:
                raise ModelError(f"{name}: {word!r} is refused: {bad!r} is no part of a potential", hint=HINT)
        if words:
            yield words


def _labelled(labels: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Elements of the types in ``atom 1 Si 2 C``."""
    kind, *pairs = labels
    types, symbols = pairs[0::2], pairs[1::2]
    in_order = types == [str(i + 1) for i in range(len(types))]
    if kind != "atom" or not symbols or not in_order or len(types) != len(symbols):
        raise ModelError(f"{name}: cannot read 'labelmap {' '.join(labels)}'", hint="labelmap atom 1 Si 2 C")
    return _checked(symbols, name)


def _named(style: tuple[str, ...], coefficients: Sequence[tuple[str, ...]], name: str) -> tuple[str, ...]:
    """Elements of the types, as the lines ``pair_coeff * * FILE Si C`` name them; NULL names none."""
    lists = [_trailing(style, words[2:]) for words in coefficients if words[:2] == ("*", "*")]
    lists = [symbols for symbols in lists if symbols]
    if not lists:
        raise ModelError(
            f"{name}: no 'pair_coeff' line says which element each atom type is",
            hint="add a line 'labelmap atom 1 Cu 2 Ni'",
        )
    if len({len(symbols) for symbols in lists}) > 1:
        raise ModelError(
            f"{name}: 'pair_coeff' lines name {' and '.join(str(len(s)) for s in lists)} elements",
            hint="every line needs one name an atom type; NULL leaves one out",
        )
    found = []
    for number, column in enumerate(zip(*lists, strict=True), start=1):
        symbols = sorted(set(column) - {"NULL"})
        if len(symbols) != 1:
            what = " and ".join(symbols) or "no element"
            raise ModelError(f"{name}: atom type {number} is {what}", hint="name one element an atom type")
        found.append(symbols[0])
    return _checked(found, name)


def _trailing(style: tuple[str, ...], words: Sequence[str]) -> list[str]:
    """The names at the end of a ``pair_coeff`` line, one an atom type."""
    words = list(words)
    used = style[0]
    if used.startswith("hybrid") and words:
        used, *words = words
        if words and words[0].isdigit():
            words = words[1:]
    if used in MEAM:  # LIBRARY Si C FILE Si C, where FILE may be NULL
        rest = words[1:]
        words = rest[next((i for i, word in enumerate(rest) if word not in SYMBOLS), len(rest)) + 1 :]
    start = len(words)
    while start and (words[start - 1] in SYMBOLS or words[start - 1] == "NULL"):
        start -= 1
    return words[start:]


def _checked(symbols: Sequence[str], name: str) -> tuple[str, ...]:
    wrong = [symbol for symbol in symbols if symbol not in SYMBOLS]
    if wrong:
        raise ModelError(f"{name}: '{wrong[0]}' is no chemical symbol", hint="labelmap atom 1 Si 2 C")
    if len(set(symbols)) < len(symbols):
        raise ModelError(
            f"{name}: two atom types are one element: {' '.join(symbols)}",
            hint="name each element once: an ASE atom has no other type than its element",
        )
    return tuple(symbols)


def _find(word: str, folders: Sequence[Path]) -> Path | None:
    return next((path.resolve() for folder in folders if (path := folder / word).is_file()), None)


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?|\d*\*\d*", word) is not None
