"""Whether two data sets share a structure: a test set that holds training structures tests nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlpzoo.data.fingerprint import fingerprint
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from mlpzoo.data.dataset import Dataset


def check_apart(sets: Sequence[Dataset]) -> None:
    """Compare all structures of all sets, by `fingerprint`.

    Raises:
        DataError: One set holds a structure of another; the message names both files and frames.
    """
    seen: dict[str, tuple[int, str]] = {}
    for number, dataset in enumerate(sets):
        file_of = {index: path for path, indices in dataset.files.items() for index in indices}
        for index, atoms in enumerate(dataset.frames):
            key = fingerprint(atoms)
            label = f"{dataset.directory / file_of[index]}: frame '{atoms.info['frame_id']}'"
            other, where = seen.setdefault(key, (number, label))
            if other != number:
                raise DataError(f"{label} is the structure of {where}", hint="take it out of one of the sets")
