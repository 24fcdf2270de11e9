"""The silicon sets of Liu, He, Mo, npj Comput. Mater. 9, 174 (2023).

doi 10.1038/s41524-023-01123-3, github.com/mogroupumd/Silicon_MLIP_datasets.  Each folder there
holds ``structure_poscars.zip`` (``<index>.POSCAR.vasp``) and ``DATA.json``, whose lists are in the
order of the indices; that atoms are in the same order in both was checked by recomputing ``r`` from
the structures (agreement to 2e-5 Å below the 5 Å to which they searched).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlpzoo.data.manifest import RE_FORCES, TRAINING, DatasetManifest, Level
from mlpzoo.data.sources import PublicFile, PublicSet
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    from ase import Atoms

    from mlpzoo.data.frames import Frame

_CITATION: Final = "Y. Liu, X. He, Y. Mo, npj Comput. Mater. 9, 174 (2023), doi:10.1038/s41524-023-01123-3"
_MESHES: Final = {"K4": 4, "K2": 2, "K1": 1}


def convert(public: PublicSet, files: Mapping[str, Path]) -> tuple[DatasetManifest, dict[str, list[Frame]]]:
    """Convert one downloaded folder.

    Structures that occur twice (one in each training set) are kept once.

    Args:
        public: One of ``SETS``.
        files: The downloaded files by their path in the repository.

    Raises:
        DataError: The files do not hold what they should.
    """
    from mlpzoo.data.archive import read_zip

    paths = {Path(path).name: local for path, local in files.items()}
    members = read_zip(paths["structure_poscars.zip"])
    try:
        data = json.loads(paths["DATA.json"].read_text(encoding="utf-8"))
        count = len(data["Forces"]["DFT_K4"])
        frames = [_frame(public, members, data, index) for index in range(count)]
        distinct = _distinct(frames)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            f"{public.name}: the files of {public.repository} are not as expected "
            f"({type(error).__name__}: {error})",
            hint=f"mlpzoo data fetch {public.name}; if that does not help, report it",
        ) from error
    if len(members) != count:
        raise DataError(
            f"{public.name}: {len(members)} structures for forces of {count}",
            hint=f"mlpzoo data fetch {public.name}; if that does not help, report it",
        )
    return _manifest(public, data, count - len(distinct)), {"frames.extxyz": distinct}


def _frame(public: PublicSet, members: Mapping[str, bytes], data: Mapping[str, Any], index: int) -> Frame:
    import numpy as np

    from mlpzoo.data.frames import Frame, LevelLabels

    forces = {level: np.array(values[index], float) for level, values in data["Forces"].items()}
    energies = {level: float(values[index]) for level, values in data["Energies"].items()}
    atoms = _read_poscar(members[f"{index}.POSCAR.vasp"])
    for level, array in forces.items():
        if array.shape != (len(atoms), 3):
            msg = f"structure {index} has {len(atoms)} atoms, forces {level} {array.shape}"
            raise ValueError(msg)
    r = np.array(data["r"][index], float) if "r" in data else None
    return Frame(
        atoms=atoms,
        frame_id=f"{public.name.removeprefix('liu2023-si-')}-{index:03d}",
        forces=forces["DFT_K4"],
        energy=energies["DFT_K4"],
        re_mask=None if r is None else r == 0,
        r=r,
        levels={
            level: LevelLabels(forces=forces[f"DFT_{level}"], energy=energies.get(f"DFT_{level}"))
            for level in _coarser(data)
        },
    )


def _read_poscar(content: bytes) -> Atoms:
    import io

    from ase import Atoms
    from ase.io.vasp import read_vasp

    atoms = read_vasp(io.StringIO(content.decode("ascii")))
    return Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)


def _coarser(data: Mapping[str, Any]) -> list[str]:
    return [level for level in ("K2", "K1") if f"DFT_{level}" in data["Forces"]]


def _distinct(frames: Sequence[Frame]) -> list[Frame]:
    """Each structure once; the two of a pair must have the same labels."""
    import numpy as np

    from mlpzoo.data.checks import fingerprint

    kept: dict[str, Frame] = {}
    for frame in frames:
        first = kept.setdefault(fingerprint(frame.atoms), frame)
        if first.energy != frame.energy or not np.array_equal(first.forces, frame.forces):
            msg = f"{first.frame_id} and {frame.frame_id} are one structure with two labels"
            raise ValueError(msg)
    return list(kept.values())


def _manifest(public: PublicSet, data: Mapping[str, Any], n_repeated: int) -> DatasetManifest:
    def level(name: str) -> Level:
        mesh = _MESHES[name]
        return Level(
            level=name,
            level_of_theory="PBE",
            code="VASP",
            title=f"VASP PBE, {mesh}x{mesh}x{mesh} k-points",
            settings={"kmesh": [mesh, mesh, mesh]},
        )

    return DatasetManifest(
        name=public.name,
        title=public.title,
        kind=public.kind,
        system=public.system,
        elements=public.elements,
        licence=public.licence,
        citation=public.citation,
        reference=level("K4"),
        noise_floor=tuple(level(name) for name in _coarser(data)),
        provenance={
            **public.provenance(),
            "repeated_structures_left_out": n_repeated,
            **(_SAMPLING if public.kind == RE_FORCES else {}),
        },
    )


_SAMPLING: Final = {"sampled_by": "AIMD", "temperature_kelvin": 1230.0}
"""Of the RE testing sets (the paper, section Methods)."""


def _set(name: str, title: str, folder: str, kind: str, n_frames: int, *hashes: str) -> PublicSet:
    """One folder; ``hashes`` are "sha256 size" of DATA.json and of structure_poscars.zip."""
    return PublicSet(
        name=f"liu2023-si-{name}",
        title=title,
        kind=kind,
        system="liu2023-si",
        elements=("Si",),
        n_frames=n_frames,
        licence="CC-BY-4.0",
        citation=_CITATION,
        repository="mogroupumd/Silicon_MLIP_datasets",
        commit="6c7fad5e26916429ed2c5ce17332bb4df62b6ab9",
        files=tuple(
            PublicFile(path=f"{folder}/{file}", sha256=text[:64], size_bytes=int(text[64:]))
            for file, text in zip(("DATA.json", "structure_poscars.zip"), hashes, strict=True)
        ),
        convert=convert,
        converter_version=2,
    )


SETS: Final = (
    _set(
        "vacancy",
        "Si vacancy migration, AIMD snapshots (Liu et al. 2023)",
        "Vacancy-RE_Testing_Set",
        RE_FORCES,
        100,
        "83507a2d3553bdc9ea536038f1c871312da97c25fa0de9e3057e52722b474dbe 928852",
        "dbfe9af7a7c4d501c4e3773ec2ece09b3c18c31b51578a16a70f4a5a85ab2934 100279",
    ),
    _set(
        "interstitial",
        "Si interstitial migration, AIMD snapshots (Liu et al. 2023)",
        "Interstitial-RE_Testing_Set",
        RE_FORCES,
        100,
        "20b5cfe4c2af6db8bd4b14af9243b19d3f9f6c2c33bb3190ad65cb7b00e02b06 962769",
        "6db088c25f3759a95f952f4844908c06100e82c7e824d1a6f29ff9bbf1294fd2 102305",
    ),
    _set(
        "vacancy-training",
        "Si training set enhanced with vacancy migration (Liu et al. 2023)",
        "Vacancy-enhanced_Training_Set",
        TRAINING,
        218,
        "c0f8b815bd10168f9e5650cfc1b1fc66d55f05f010c8cd9ab8a9610810e6b2ac 462607",
        "49b8ddb2190909041d0a75c7dfdaf82cffb031cc944637b287e0ed56c2b0e945 189852",
    ),
    _set(
        "interstitial-training",
        "Si training set enhanced with interstitial migration (Liu et al. 2023)",
        "Interstitial-enhanced_Training_Set",
        TRAINING,
        218,
        "b387ff1c07016a303946f6a7fc043f2f8b22cd390610fdaa7e02d077d7bb3f32 471973",
        "269d281a124ac7a445f7c3ca37b6f45fc2d870941c0b93cf61711170ce808d22 191897",
    ),
)
