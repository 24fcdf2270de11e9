"""Models written without the names of folders on this machine.  Importing this imports torch."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING
from unittest.mock import patch
from zipfile import ZipFile

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from mace.modules.models import MACE


def save_without_paths(model: MACE, target: Path) -> None:
    """Save a model without TorchScript's debug records: they hold paths of the installed sources.

    e3nn keeps the code that it generates as TorchScript archives inside the pickle.
    """
    jit_save = torch.jit.save

    def save(module: torch.jit.ScriptModule, buffer: IO[bytes]) -> None:
        full = io.BytesIO()
        jit_save(module, full)
        with ZipFile(full) as source, ZipFile(buffer, "w") as stripped:
            for record in source.infolist():
                if not record.filename.endswith(".debug_pkl"):
                    stripped.writestr(record, source.read(record))

    temporary = target.with_name(f"{target.name}.part")
    with patch.object(torch.jit, "save", save):
        torch.save(model.to("cpu"), temporary)
    temporary.replace(target)
