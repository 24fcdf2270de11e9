"""The silicon training set of Zuo et al., J. Phys. Chem. A 124, 731 (2020).

doi 10.1021/acs.jpca.9b08723, github.com/materialsvirtuallab/mlearn: a list of pymatgen structures
as plain JSON, with energy (eV), forces (eV/Å, in the order of the sites) and ``virial_stress``.
What the latter is, is not documented.  It is VASP's: kbar, positive under compression.  The order of its
shears is not the same throughout: xy yz zx in the group "Elastic" (only so does its work equal the difference
of the energies along every strain path) and xy zx yz in all other groups (a model trained on these
structures agrees with it to 2 kbar in this order, and misses it by 8 to 10 kbar in the other).
The k-mesh is known from structures that are in the sets of Liu et al. as well, with the energies of their
4x4x4 mesh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlpzoo.data.manifest import TRAINING, DatasetManifest, Level
from mlpzoo.data.sources import PublicFile, PublicSet
from mlpzoo.errors import DataError
from mlpzoo.units import KBAR_IN_EV_PER_ANG3

if TYPE_CHECKING:
    from mlpzoo.data.frames import Frame

_OUTPUTS: Final = {"training.json": "train.extxyz", "test.json": "test.extxyz"}
_TO_VOIGT: Final = {"Elastic": (0, 1, 2, 4, 5, 3)}
_TO_VOIGT_ELSEWHERE: Final = (0, 1, 2, 5, 4, 3)


def convert(public: PublicSet, files: Mapping[str, Path]) -> tuple[DatasetManifest, dict[str, list[Frame]]]:
    """Convert the two downloaded files to ``train.extxyz`` and ``test.extxyz``.

    Raises:
        DataError: The files do not hold what they should.
    """
    frames: dict[str, list[Frame]] = {}
    for path, local in files.items():
        output = _OUTPUTS[Path(path).name]
        try:
            entries = json.loads(local.read_text(encoding="utf-8"))
            frames[output] = [
                _frame(entry, f"{output.removesuffix('.extxyz')}-{index:03d}")
                for index, entry in enumerate(entries)
            ]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DataError(
                f"{public.name}: {path} of {public.repository} is not as expected "
                f"({type(error).__name__}: {error})",
                hint=f"mlpzoo data fetch {public.name}; if that does not help, report it",
            ) from error
    return _manifest(public), frames


def _frame(entry: Mapping[str, Any], frame_id: str) -> Frame:
    import numpy as np
    from ase import Atoms

    from mlpzoo.data.frames import Frame

    sites = entry["structure"]["sites"]
    cell = np.array(entry["structure"]["lattice"]["matrix"], dtype=float)
    atoms = Atoms(
        symbols=[_symbol(site) for site in sites],
        positions=[site["xyz"] for site in sites],
        cell=cell,
        pbc=True,
    )
    fractional = np.array([site["abc"] for site in sites], dtype=float)
    if not np.allclose(fractional @ cell, atoms.positions, rtol=0, atol=1e-6):
        msg = f"{frame_id}: Cartesian and fractional coordinates differ"
        raise ValueError(msg)
    outputs = entry["outputs"]
    order = _TO_VOIGT.get(str(entry["group"]), _TO_VOIGT_ELSEWHERE)
    virial = np.array(outputs["virial_stress"], dtype=float)[list(order)]
    return Frame(
        atoms=atoms,
        frame_id=frame_id,
        forces=np.array(outputs["forces"], dtype=float),
        energy=float(outputs["energy"]),
        stress=-virial * KBAR_IN_EV_PER_ANG3,
        info={"group": str(entry["group"]), "description": str(entry["description"])},
    )


def _symbol(site: Mapping[str, Any]) -> str:
    (species,) = site["species"]
    if species["occu"] != 1:
        msg = f"partly occupied site: {species}"
        raise ValueError(msg)
    return str(species["element"])


def _manifest(public: PublicSet) -> DatasetManifest:
    return DatasetManifest(
        name=public.name,
        title=public.title,
        kind=public.kind,
        system=public.system,
        elements=public.elements,
        licence=public.licence,
        citation=public.citation,
        reference=Level(
            level="K4",
            level_of_theory="PBE",
            code="VASP",
            title="VASP PBE, 4x4x4 k-points",
            settings={"kmesh": [4, 4, 4]},
        ),
        provenance=public.provenance(),
    )


SETS: Final = (
    PublicSet(
        name="mlearn-si",
        title="Si training and test set of Zuo et al. 2020",
        kind=TRAINING,
        system="mlearn-si",
        elements=("Si",),
        n_frames=239,
        licence="BSD-3-Clause",
        citation="Y. Zuo et al., J. Phys. Chem. A 124, 731 (2020), doi:10.1021/acs.jpca.9b08723",
        repository="materialsvirtuallab/mlearn",
        commit="10c427a5480c6281c15c64efaf869b03be04818f",
        files=(
            PublicFile(
                path="data/Si/training.json",
                sha256="ae6d4b0a65b00e0fcf7ba0a6fad366716710d2f0d21d70199203089c6866b500",
                size_bytes=2669946,
            ),
            PublicFile(
                path="data/Si/test.json",
                sha256="d452b30a89f23bff76f7cc529b7b6c2d159ea81ccd5a4599fb1a18207654fa91",
                size_bytes=309803,
            ),
        ),
        convert=convert,
    ),
)
