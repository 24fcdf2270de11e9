"""The state of a long computation on disk, so that an interrupted one continues where it was."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpzoo.files import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Named arrays in one file, replaced as a whole.

    The file is an uncompressed ``.npz``; nothing in it is ever unpickled.

    Args:
        path: Where, without extension; None: nothing is stored and nothing is found.
    """

    path: Path | None = None

    def child(self, name: str) -> Checkpoint:
        """The checkpoint of a part of the computation."""
        return self if self.path is None else Checkpoint(self.path.with_name(f"{self.path.name}-{name}"))

    def load(self) -> dict[str, NDArray[Any]] | None:
        """The arrays saved last; None if there are none, or the file is damaged."""
        if self.path is None:
            return None
        import numpy as np

        try:
            with self._file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            self.clear()
            return None

    def save(self, **arrays: Any) -> None:
        """Replace the stored arrays: a kill in the middle leaves the old ones.

        Raises:
            ValueError: An array holds Python objects.
        """
        if self.path is None:
            return
        import numpy as np

        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:  # np.savez takes allow_pickle for an array before 2.1
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, stream.getvalue())

    def clear(self) -> None:
        """Forget the stored arrays."""
        if self.path is not None:
            self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        assert self.path is not None  # noqa: S101  (asked by the methods)
        return self.path.with_name(f"{self.path.name}.npz")
