"""What DFT programs have in common: where they are, whether they are there, how they are run."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from mlpzoo.data.engines import known_options
from mlpzoo.errors import CalculationError, EnvError

if TYPE_CHECKING:
    from ase import Atoms

TIMEOUT_S: Final = 6 * 3600.0
_PR_SET_PDEATHSIG: Final = 1


class Program(Protocol):
    """A dataclass with the place of a program and of its pseudopotentials."""

    @property
    def name(self) -> str:
        """Of the engine."""

    @property
    def command(self) -> str:
        """The program's name or path."""

    @property
    def pseudo_dir(self) -> Path:
        """Folder of the pseudopotentials."""


_P = TypeVar("_P", bound=Program)


def elsewhere(engine: _P, options: Mapping[str, str]) -> _P:
    """The same engine with another ``command`` or ``pseudo_dir``.

    Raises:
        UsageError: There is no such option.
    """
    known = known_options(engine.name, options, ("command", "pseudo_dir"))
    command = known.get("command", engine.command)
    pseudo_dir = Path(known.get("pseudo_dir", engine.pseudo_dir))
    changed: _P = replace(engine, command=command, pseudo_dir=pseudo_dir)  # type: ignore[type-var]
    return changed


def check_installed(engine: Program, files: Iterable[str], install_hint: str) -> None:
    """Refuse to start without the program or a pseudopotential.

    Raises:
        EnvError: One of them is missing.
    """
    if shutil.which(engine.command) is None:
        message = f"the DFT program '{engine.command}' is not installed"
        raise EnvError(message, hint=f"{install_hint}; or name it: --set {engine.name}.command=PATH")
    for name in sorted(set(files)):
        if not (engine.pseudo_dir / name).is_file():
            message = f"the pseudopotential {name} is not in {engine.pseudo_dir}"
            hint = f"{install_hint}; or name its folder: --set {engine.name}.pseudo_dir=DIR"
            raise EnvError(message, hint=hint)


def check_elements(atoms: Atoms, pseudopotentials: Mapping[str, str]) -> None:
    """Refuse elements without a pseudopotential.

    Raises:
        DataError: There is one.
    """
    from mlpzoo.errors import DataError

    unknown = sorted(set(atoms.get_chemical_symbols()) - set(pseudopotentials))
    if unknown:
        message = f"no pseudopotential is set for {', '.join(unknown)}"
        raise DataError(message, hint="add it to the level's pseudopotentials")


def run_program(command: list[str], folder: Path, output: Path, timeout_s: float) -> None:
    """Run a DFT program on one core, everything that it says into one file.

    Raises:
        CalculationError: It took too long. How else it ended is for the reader of its output to say.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with output.open("w") as file:
        try:
            subprocess.run(  # noqa: S603
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
                preexec_fn=end_with_parent,
            )
        except subprocess.TimeoutExpired:
            message = f"no result after {timeout_s:.0f} s"
            raise CalculationError(message, hint="use a smaller cell or cutoff") from None


def end_with_parent() -> None:
    """Ask Linux to end this child when its parent ends, however that ends: its frame is then another's."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def hashes_of(files: Mapping[str, str], folder: Path) -> dict[str, dict[str, str]]:
    """``file`` and ``sha256`` of the pseudopotential of each element."""
    return {
        symbol: {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for symbol, name in files.items()
    }
