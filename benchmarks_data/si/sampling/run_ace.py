"""Sample the silicon rare-event frames with the linear ACE of `fit_ace.py`, into a labelling queue.

    OMP_NUM_THREADS=1 python run_ace.py MODEL.yace SYSTEM SEED QUEUE_DIR [--time-ps 20] [--max-frames 7]

`SYSTEM` is `si-vacancy` or `si-interstitial`. Needs `python-ace==0.4.0rc1` and mlpzoo. The ACE is neither of the
models that the set is made to compare: where a trajectory goes favours none of them. It decides the structures only;
energies and forces come from the labelling (`mlpzoo data label QUEUE_DIR`).
"""

from __future__ import annotations

import argparse
import hashlib
from importlib.metadata import version
from pathlib import Path

from mlpzoo.data.defect_cells import defect_cell
from mlpzoo.data.queue import Queue
from mlpzoo.data.sampling import run_name, sample
from pyace import PyACECalculator


def main() -> None:
    """Parse, sample, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("system")
    parser.add_argument("seed", type=int)
    parser.add_argument("queue_dir", type=Path)
    parser.add_argument("--time-ps", type=float, default=20.0)
    parser.add_argument("--max-frames", type=int, default=7)
    arguments = parser.parse_args()
    digest = hashlib.sha256(arguments.model.read_bytes()).hexdigest()
    run = sample(
        defect_cell(arguments.system),
        PyACECalculator(str(arguments.model), recursive_evaluator=True, recursive=True),
        name=run_name(arguments.system, arguments.seed),
        sampler=f"linear ACE, 300 functions, python-ace {version('python-ace')}, sha256 {digest}",
        temperature_kelvin=1230.0,
        time_ps=arguments.time_ps,
        seed=arguments.seed,
        max_frames=arguments.max_frames,
    )
    Queue(arguments.queue_dir).add_run(run.run, run.frames)
    print(f"{run.run.run}: {run.run.counts}")


if __name__ == "__main__":
    main()
