"""Lines of ``input.nn``, which know where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlpzoo.errors import ModelError

HINT: Final = "mlpzoo-nnp's README lists what is supported"


@dataclass(frozen=True, slots=True)
class Line:
    """A keyword with its arguments, and where it stands."""

    path: Path
    number: int
    keyword: str
    arguments: tuple[str, ...]

    def error(self, what: str, hint: str = HINT) -> ModelError:
        """The error that names file, line and keyword."""
        return ModelError(f"{self.path}, line {self.number}, {self.keyword}: {what}", hint=hint)

    def reals(self, arguments: tuple[str, ...] | None = None) -> list[float]:
        """Arguments as numbers; all if not told which.

        Raises:
            ModelError: One is none.
        """
        arguments = self.arguments if arguments is None else arguments
        try:
            return [float(argument) for argument in arguments]
        except ValueError as error:
            raise self.error(str(error)) from error

    def real(self) -> float:
        """The only argument, as a number.

        Raises:
            ModelError: There are more or fewer, or it is no number.
        """
        numbers = self.reals()
        if len(numbers) != 1:
            raise self.error(f"{len(numbers)} arguments instead of one")
        return numbers[0]

    def integers(self, arguments: tuple[str, ...] | None = None) -> list[int]:
        """Arguments as whole numbers that are not negative.

        Raises:
            ModelError: One is none.
        """
        numbers = self.reals(arguments)
        if any(number != int(number) or number < 0 for number in numbers):
            raise self.error("not a whole number that is not negative")
        return [int(number) for number in numbers]


def read_lines(path: Path) -> list[Line]:
    """All lines with a keyword; ``#`` and ``!`` begin a comment.

    Raises:
        ModelError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}", hint="give the folder of an n2p2 potential"
        ) from error
    lines = []
    for number, raw in enumerate(text.splitlines(), start=1):
        words = raw.partition("#")[0].partition("!")[0].split()
        if words:
            lines.append(Line(path, number, words[0], tuple(words[1:])))
    return lines
