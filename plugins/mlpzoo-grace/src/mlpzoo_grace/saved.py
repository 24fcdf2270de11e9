"""What GRACE's trainer exported: a TensorFlow SavedModel, as a directory or packed.  Not imported here."""

from __future__ import annotations

import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlpzoo.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAPH: Final = "saved_model.pb"
HINT: Final = "give the directory 'saved_model' that gracemaker exported, or a published '.tar.gz' of one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What must be known to find the neighbours.

    Attributes:
        symbols: Chemical symbols in the order of the model's own numbers.
        cutoff_ang: The largest cutoff of a bond, Å.
        cutoffs_ang: Of pairs of symbols, if they differ, Å.
    """

    symbols: tuple[str, ...]
    cutoff_ang: float
    cutoffs_ang: dict[tuple[str, str], float] | None = None

    @classmethod
    def of(cls, symbols: list[str], cutoff: float, matrix: list[list[float]] | None) -> Metadata:
        """From what GRACE writes: a matrix of cutoffs in the order of the symbols, or one cutoff, Å."""
        if matrix is None:
            return cls(symbols=tuple(symbols), cutoff_ang=float(cutoff))
        pairs = {
            (a, b): float(max(matrix[i][j], matrix[j][i]))
            for i, a in enumerate(symbols)
            for j, b in enumerate(symbols)
        }
        return cls(symbols=tuple(symbols), cutoff_ang=max(pairs.values()), cutoffs_ang=pairs)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The directory of a saved model; of an archive only for the time of the context.

    Raises:
        ModelError: There is none.
    """
    if path.is_dir():
        yield _found(path, path)
        return
    with tempfile.TemporaryDirectory(prefix="mlpzoo-grace-", ignore_cleanup_errors=True) as folder:
        try:
            with tarfile.open(path, "r:*") as archive:
                archive.extractall(folder, filter="data")
        except (OSError, EOFError, tarfile.TarError) as error:
            raise ModelError(
                f"{path} cannot be unpacked: {type(error).__name__}: {error}", hint=HINT
            ) from error
        yield _found(Path(folder), path)


def metadata_in(directory: Path) -> Metadata | None:
    """What its ``metadata.yaml`` says; None if there is none, as in old exports."""
    path = directory / "metadata.yaml"
    if not path.is_file():
        return None
    import yaml

    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(said, dict) or not {"chemical_symbols", "cutoff"} <= said.keys():
        return None
    return Metadata.of(said["chemical_symbols"], said["cutoff"], said.get("cutoff_matrix"))


def _found(folder: Path, named: Path) -> Path:
    """The folder, or the one folder in it, that holds a graph."""
    found = [
        graph.parent for graph in (folder / GRAPH, *sorted(folder.glob(f"*/{GRAPH}"))) if graph.is_file()
    ]
    if len(found) != 1:
        what = "holds no" if not found else f"holds {len(found)} times a"
        raise ModelError(f"{named} {what} {GRAPH}", hint=HINT)
    return found[0]
