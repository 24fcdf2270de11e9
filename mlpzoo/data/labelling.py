"""Reference energies and forces by Quantum ESPRESSO, one frame at a time, several processes on one queue.

The cheap Γ-only level comes first: it is the noise-floor row, and its density starts the k-point calculation.
A calculation that does not converge is stored as failed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from mlpzoo.data.espresso import PREFIX, PwLevel, parse_output, write_input
from mlpzoo.data.queue import Label
from mlpzoo.errors import CalculationError, EnvError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from mlpzoo.data.espresso import PwOutput
    from mlpzoo.data.queue import Queue, QueuedFrame

INSTALL_HINT = "Debian: apt-get install quantum-espresso quantum-espresso-data libopenblas0-pthread"
TIMEOUT_S = 6 * 3600.0


GAMMA = PwLevel(level="gamma", title="QE PBE, Γ only", kmesh=None, n_bands=138, keep_density=True)
K222 = PwLevel(level="k222", title="QE PBE, 2x2x2 shifted", kmesh=(2, 2, 2), n_bands=138, mixing_beta=0.7)
SILICON_LEVELS = (GAMMA, K222)  # in the order of work


@dataclass(frozen=True, slots=True, kw_only=True)
class PwEngine:
    """Where the program and its pseudopotentials are."""

    command: str = "pw.x"
    pseudo_dir: Path = Path("/usr/share/espresso/pseudo")

    def check(self, levels: Sequence[PwLevel]) -> None:
        """Refuse to start without the program or a pseudopotential.

        Raises:
            EnvError: one of them is missing.
        """
        if shutil.which(self.command) is None:
            message = f"the DFT program '{self.command}' is not installed"
            raise EnvError(message, hint=f"{INSTALL_HINT}; or name it with --pw-command")
        for name in sorted({name for level in levels for name in level.pseudopotentials.values()}):
            if not (self.pseudo_dir / name).is_file():
                message = f"the pseudopotential {name} is not in {self.pseudo_dir}"
                raise EnvError(message, hint=f"{INSTALL_HINT}; or name its folder with --pseudo-dir")

    def run(self, atoms: Atoms, level: PwLevel, folder: Path) -> PwOutput:
        """Run one calculation in `folder`; a density that an earlier one left there is the start.

        Raises:
            CalculationError: it did not finish or converge.
        """
        folder.mkdir(parents=True, exist_ok=True)
        restart = (folder / f"{PREFIX}.save" / "charge-density.dat").is_file()
        output = folder / f"{level.level}.out"
        with (folder / f"{level.level}.in").open("w") as file:
            write_input(file, atoms, level, pseudo_dir=self.pseudo_dir, restart=restart)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with output.open("w") as file:
            try:
                subprocess.run(  # noqa: S603
                    [self.command, "-in", f"{level.level}.in"],
                    cwd=folder,
                    env=environment,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                message = f"no result after {TIMEOUT_S:.0f} s"
                raise CalculationError(message, hint="use a smaller cell or cutoff") from None
        return parse_output(output, len(atoms))

    def label(self, atoms: Atoms, level: PwLevel, folder: Path) -> Label:
        """Run one calculation, and record how it ended."""
        start = time.perf_counter()
        try:
            parsed = self.run(atoms, level, folder)
        except CalculationError as error:
            return self._failed(level, error.message)
        return Label(
            level=level.level,
            status="converged",
            energy_ev=parsed.energy_ev,
            forces_ev_per_ang=parsed.forces_ev_per_ang,
            code=parsed.code,
            settings=level.settings(),
            pseudopotentials=self.pseudopotentials(level),
            n_scf=parsed.n_scf,
            wall_s=round(time.perf_counter() - start, 1),
            cpu_s=parsed.cpu_s,
            date=_today(),
        )

    def _failed(self, level: PwLevel, message: str) -> Label:
        return Label(
            level=level.level, status="failed", message=message, settings=level.settings(), date=_today()
        )

    def pseudopotentials(self, level: PwLevel) -> dict[str, dict[str, str]]:
        """File and hash of the pseudopotential of each element."""
        return {
            symbol: {
                "file": name,
                "sha256": hashlib.sha256((self.pseudo_dir / name).read_bytes()).hexdigest(),
            }
            for symbol, name in level.pseudopotentials.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDone:
    """A level of a frame that this process finished; `n_done` of `n_frames` have all levels."""

    frame_id: str
    label: Label
    n_done: int
    n_frames: int


def label_queue(
    queue: Queue, engine: PwEngine, levels: Sequence[PwLevel] = SILICON_LEVELS
) -> Iterator[LabelDone]:
    """Label all frames that have no label and that no other process works on.

    Yields after each calculation.

    Interrupted, it goes on where it was: at most the calculation in flight is lost.

    Raises:
        EnvError: the program or a pseudopotential is missing.
        DataError: the queue holds no frames, or an element without a pseudopotential.
    """
    engine.check(levels)
    names = [level.level for level in levels]
    frames = queue.frames()
    for frame in frames:
        if _is_labelled(queue, frame, names) or not queue.lease(frame.frame_id):
            continue
        folder = queue.frame_dir(frame.frame_id) / f"work-{os.getpid()}"
        try:
            for level in levels:
                if queue.label(frame.frame_id, level.level) is not None:
                    continue
                label = engine.label(frame.atoms(), level, folder)
                queue.put_label(frame.frame_id, label)
                n_done = sum(_is_labelled(queue, other, names) for other in frames)
                yield LabelDone(frame_id=frame.frame_id, label=label, n_done=n_done, n_frames=len(frames))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            queue.release(frame.frame_id)


def _is_labelled(queue: Queue, frame: QueuedFrame, levels: Sequence[str]) -> bool:
    return all(queue.label(frame.frame_id, level) is not None for level in levels)


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
