"""Fitting a GAP by quippy's ``gap_fit``, which is one linear least-squares problem without checkpoints.

A fit that was stopped starts anew and, with the same seed, ends with the same model; one that ended is kept.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms
from ase.io import write
from ase.stress import voigt_6_to_full_3x3_stress

from mlpzoo.data.program import end_with_parent
from mlpzoo.errors import ModelError
from mlpzoo.training import Trained, energies_of_elements, note_on_zero
from mlpzoo_gap.model_file import inspect, pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlpzoo.training import TrainingJob, Value

CITATION: Final = (
    "GAP: Bartók, Payne, Kondor, Csányi, Phys. Rev. Lett. 104, 136403 (2010), "
    "doi:10.1103/PhysRevLett.104.136403; SOAP: Bartók, Kondor, Csányi, Phys. Rev. B 87, 184115 (2013), "
    "doi:10.1103/PhysRevB.87.184115; gap_fit: Klawohn et al., J. Chem. Phys. 159, 174108 (2023), "
    "doi:10.1063/5.0160898"
)
STAGES: Final = 2
POLL_S: Final = 1.0
_XML: Final = "gap.xml"
_PERCENT: Final = re.compile(rb"Covariance matrix +(\d+)%")


def train(job: TrainingJob) -> Trained:
    """Fit a model, unless that was done; see `mlpzoo.training.TrainingJob`.

    Raises:
        ModelError: ``gap_fit`` did not end as it should.
    """
    done, model = job.directory / "fit", job.directory / "trained.xml.zip"
    zero = atomic_energies(job)
    if not model.is_file():
        if not done.is_dir():
            job.progress(0, STAGES, "fitting")
            _fit(job, zero, done)
        job.progress(1, STAGES, "packing")
        pack(done / _XML, model)
    job.progress(STAGES, STAGES, "fitted")
    settings = job.settings
    told = inspect((done / _XML).read_bytes(), _XML)
    pairs = "pairs and " if int(settings["pair_n_sparse"]) else ""
    every = int(settings["virials_every"]) if job.has_stress else 0
    stresses = "" if every == 1 else f"Stresses of every {every}th frame. " if every else "No stresses. "
    return Trained(
        path=model,
        cutoff_ang=float(settings["cutoff_ang"]),
        n_parameters=told.n_sparse,
        title=f"GAP, {pairs}SOAP {settings['n_max']}/{settings['l_max']}, {told.n_sparse} sparse points",
        citation=CITATION,
        notes=(
            f"{note_on_zero(zero)} {stresses}Evaluated in always float64. The validation set chose nothing."
        ),
    )


def atomic_energies(job: TrainingJob) -> dict[str, float]:
    """`energies_of_elements`, eV, as they stand in the command.

    ``gap_fit``'s own ``e0_method=average`` gives all elements the same one.
    """
    return {symbol: round(energy, 6) for symbol, energy in energies_of_elements(job).items()}


def labelled(atoms: Atoms, *, with_virial: bool) -> Atoms:
    """A structure as ``gap_fit`` reads it: energy (eV), force (eV/Å) and virial, which is -V stress (eV)."""
    results = atoms.calc.results
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    bare.info["ref_energy"] = results["energy"]
    bare.arrays["ref_force"] = np.asarray(results["forces"])
    if with_virial:
        virial = -atoms.get_volume() * voigt_6_to_full_3x3_stress(results["stress"])
        bare.info["ref_virial"] = " ".join(f"{x:.12g}" for x in virial.ravel())
    return bare


def command_of(settings: Mapping[str, Value], zero: Mapping[str, float], seed: int) -> list[str]:
    """The arguments of ``gap_fit``; without a path, because they become part of the model."""
    within = f"cutoff={settings['cutoff_ang']} cutoff_transition_width={settings['cutoff_width_ang']}"
    soap = (
        f"soap n_max={settings['n_max']} l_max={settings['l_max']} atom_sigma={settings['atom_sigma_ang']} "
        f"zeta={settings['zeta']} {within} central_weight=1.0 delta={settings['soap_delta_ev']} f0=0.0 "
        f"covariance_type=dot_product n_sparse={settings['n_sparse']} sparse_method=cur_points add_species=T"
    )
    pairs = (
        f"distance_2b {within} delta={settings['pair_delta_ev']} covariance_type=ard_se theta_uniform=1.0 "
        f"n_sparse={settings['pair_n_sparse']} sparse_method=uniform add_species=T"
    )
    descriptors = [pairs, soap] if int(settings["pair_n_sparse"]) else [soap]
    names = ("energy_sigma_ev", "force_sigma_ev_per_ang", "virial_sigma_ev")
    sigmas = " ".join(str(settings[name]) for name in names)
    return [
        "at_file=train.xyz",
        f"gap={{{' : '.join(descriptors)}}}",
        f"default_sigma={{{sigmas} 0.0}}",
        f"e0={{{':'.join(f'{symbol}:{value}' for symbol, value in zero.items())}}}",
        "energy_parameter_name=ref_energy",
        "force_parameter_name=ref_force",
        "virial_parameter_name=ref_virial",
        "config_type_parameter_name=none",
        f"sparse_jitter={settings['sparse_jitter']}",
        "do_copy_at_file=F",
        "sparse_separate_file=T",
        f"gp_file={_XML}",
        f"rnd_seed={seed % 2**31 + 1}",
    ]


def _frames(job: TrainingJob) -> list[Atoms]:
    """All structures; a virial costs as much memory as two or three times the forces of its structure."""
    every = int(job.settings["virials_every"]) if job.has_stress else 0
    return [labelled(atoms, with_virial=bool(every) and i % every == 0) for i, atoms in enumerate(job.train)]


def _fit(job: TrainingJob, zero: Mapping[str, float], done: Path) -> None:
    """Run ``gap_fit`` in a folder that gets its name when the fit has ended."""
    folder = done.with_name("fit.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write(folder / "train.xyz", _frames(job), format="extxyz")
    log = folder / "gap_fit.log"
    command = [str(_program()), *command_of(job.settings, zero, job.seed)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(job.threads))
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            env=os.environ | threads | {"GFORTRAN_UNBUFFERED_ALL": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,  # noqa: PLW1509  (a worker has no other threads that hold locks)
        )
    try:
        while process.poll() is None:
            job.progress(0, STAGES, _how_far(log))
            _wait(process)
    finally:
        process.kill()
        process.wait()
    if process.returncode or not (folder / _XML).is_file():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise ModelError(
            f"gap_fit ended with exit code {process.returncode}: {tail}",
            hint="with too little memory: a smaller n_sparse, n_max, l_max or cutoff_ang",
        )
    folder.rename(done)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return


def _how_far(log: Path) -> str:
    """From what ``gap_fit`` wrote so far."""
    shares = _PERCENT.findall(log.read_bytes())
    return f"fitting, covariance {shares[-1].decode()} %" if shares else "fitting"


def _program() -> Path:
    """The executable inside the quippy package."""
    import quippy

    return Path(quippy.__file__).with_name("gap_fit")
