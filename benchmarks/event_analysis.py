"""Time and memory of the event analysis, for a long trajectory that is made on the way.

    uv run python benchmarks/event_analysis.py [--frames 100000] [--interstitial]

Silicon with one vacancy (63 atoms of 64 sites) or one interstitial (65 atoms, interstitial sites as well):
atoms vibrate about their sites (0.15 Å along each axis, as at 1230 K), the crystal drifts, every picosecond
the defect hops, on a straight line of 100 fs. Frames are 10 fs apart and come in chunks of 1000. The CPU time
is that of the analysis alone; the memory is what the whole process had at most, beyond what it had before.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlpzoo.physics.crystals import Crystal
from mlpzoo.physics.events import find_events

FRAME_FS = 10.0
CHUNK = 1000
HOP_EVERY, HOP_FRAMES = 100, 10
VIBRATION_ANG = 0.15
SILICON = Crystal(symbol="Si", structure="diamond", lattice_constant_ang=5.47)


class Walk:
    """A trajectory in chunks, and what was put into it.

    Args:
        interstitial: One atom too many, instead of one too few.
        n_frames: How long.
    """

    def __init__(self, n_frames: int, *, interstitial: bool) -> None:
        self.sites = SILICON.sites(2, interstitials=interstitial)
        self.n_frames = n_frames
        self.n_hops = 0
        self.making_s = 0.0
        self.interstitial = interstitial
        self._generator = np.random.default_rng(0)
        lattice = self.sites.positions_ang[: self.sites.n_lattice]
        extra = self.sites.positions_ang[self.sites.n_lattice :][:1]
        self._home = np.concatenate([lattice, extra]) if interstitial else lattice[1:].copy()
        self._vacancy = lattice[0].copy()

    def chunks(self) -> Iterator[NDArray[np.float64]]:
        """Positions of shape (1000, n_atoms, 3)."""
        for first in range(0, self.n_frames, CHUNK):
            start = time.process_time()
            n = min(CHUNK, self.n_frames - first)
            homes = np.empty((n, *self._home.shape))
            for begin in range(0, n, HOP_EVERY):
                block = homes[begin : begin + HOP_EVERY]
                block[:] = self._home
                atom, new = self._hop()
                steps = np.linspace(0.0, 1.0, HOP_FRAMES)[:, None]
                block[-HOP_FRAMES:, atom] += (steps * (new - self._home[atom]))[-len(block) :]
                if len(block) == HOP_EVERY:
                    self._home[atom] = new
                    self.n_hops += first + begin + HOP_EVERY < self.n_frames
            homes += VIBRATION_ANG * self._generator.standard_normal(homes.shape)
            homes += 1e-5 * np.arange(first, first + n)[:, None, None]
            self.making_s += time.process_time() - start
            yield homes

    def _hop(self) -> tuple[int, NDArray[np.float64]]:
        if self.interstitial:
            sites = self.sites.positions_ang[self.sites.n_lattice :]
            atom, place = len(self._home) - 1, self._home[-1]
        else:
            sites, place = self._home, self._vacancy
        vectors = sites - place
        vectors -= self.sites.cell_ang.diagonal() * np.rint(vectors / self.sites.cell_ang.diagonal())
        lengths = np.linalg.norm(vectors, axis=1)
        lengths[lengths < 0.1] = np.inf  # noqa: PLR2004  (where it is)
        near = int(self._generator.choice(np.flatnonzero(lengths < 1.05 * lengths.min())))
        if self.interstitial:
            return atom, place + vectors[near]
        old = self._home[near].copy()
        new = old - vectors[near]
        self._vacancy = old
        return near, new


def main() -> None:
    """Analyse one trajectory and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--interstitial", action="store_true")
    chosen = parser.parse_args()
    walk = Walk(chosen.frames, interstitial=chosen.interstitial)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = find_events(walk.chunks(), walk.sites, frame_fs=FRAME_FS)
    seconds = time.process_time() - start - walk.making_s
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{found.n_frames} frames of {found.n_atoms} atoms, {len(walk.sites.positions_ang)} sites: "
        f"{seconds:.1f} s CPU, {memory:.0f} MB; {len(found.events)} events of {walk.n_hops} hops"
    )


if __name__ == "__main__":
    main()
