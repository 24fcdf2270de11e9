"""What a frame must satisfy before any benchmark may see it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mlpzoo.data.manifest import RE_FORCES, DatasetManifest
from mlpzoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray

    from mlpzoo.data.frames import Frame

MAX_FORCE_EV_PER_ANG: Final = 100.0
"""No frame of condensed matter has a larger one; kcal/mol/Å, meV/Å or pN would."""
R_CAP_ANG: Final = 5.5
"""``r`` of every atom farther from all RE atoms than that, or of all atoms if there is none."""
R_SEARCH_ANG: Final = 5.0
"""Liu et al. looked for neighbours up to 5.0 Å and wrote 5.5 for everything beyond (no r of their
data lies between the two): an r of 5.5 means that the nearest RE atom is at least that far away."""
_R_TOLERANCE_ANG: Final = 1e-3  # positions in published POSCARs have six decimals of a cell length
_TINY: Final = 1e-6
_HINT: Final = "correct the frame, then check with 'mlpzoo data verify DIR'"


class _Refused(Exception):  # noqa: N818  # a message on its way to the DataError that adds the label
    def __init__(self, reason: str, hint: str = _HINT) -> None:
        super().__init__(reason)
        self.hint = hint


def distance_to_re_atoms(atoms: Atoms, re_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Minimum-image distance of each atom to the nearest RE atom.

    Returns:
        (n,) in Å; not capped; infinite everywhere if no atom is masked.
    """
    import numpy as np
    from ase.geometry import get_distances

    if not re_mask.any():
        return np.full(len(atoms), np.inf)
    positions = atoms.positions
    _, distances = get_distances(positions[re_mask], positions, cell=atoms.cell, pbc=atoms.pbc)
    return np.asarray(distances.min(axis=0), dtype=float)


def check_frame(frame: Frame, manifest: DatasetManifest, label: str) -> None:
    """Check one frame on its own; ``label`` names file and frame in errors.

    Raises:
        DataError: Saying what is wrong: elements, cell, columns, units, rare-event labels.
    """
    try:
        _check_structure(frame.atoms, manifest)
        _check_energies_and_forces(frame, manifest)
        _check_labels(frame, manifest)
    except _Refused as refused:
        raise DataError(f"{label}: {refused}", hint=refused.hint) from None


def _check_structure(atoms: Atoms, manifest: DatasetManifest) -> None:
    import numpy as np

    if len(atoms) == 0:
        raise _Refused("no atoms")
    if strange := sorted(set(atoms.get_chemical_symbols()) - set(manifest.elements)):
        raise _Refused(f"{', '.join(strange)} not among the elements {list(manifest.elements)}")
    if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.cell.array).all():
        raise _Refused("non-finite positions or cell")
    periodic_kind = manifest.kind == RE_FORCES  # r is a minimum-image distance
    if (atoms.pbc.any() or periodic_kind) and atoms.cell.volume < _TINY:
        raise _Refused("the cell is missing or has no volume", 'write Lattice="..." and pbc="T T T"')
    if periodic_kind and not atoms.pbc.any():
        raise _Refused("not periodic", 'write pbc="T T T"')


def _check_energies_and_forces(frame: Frame, manifest: DatasetManifest) -> None:
    import numpy as np

    wanted = sorted(floor.level for floor in manifest.noise_floor)
    if wanted != sorted(frame.levels):
        raise _Refused(
            f"forces at levels {sorted(frame.levels)}, the manifest declares {wanted}",
            "one [[noise_floor]] table and one column forces_<level> for each coarser level",
        )
    columns = {"forces": frame.forces} | {f"forces_{k}": v.forces for k, v in frame.levels.items()}
    shape = (len(frame.atoms), 3)
    for name, forces in columns.items():
        if forces.shape != shape:
            raise _Refused(f"{name} has shape {forces.shape}, not {shape}")
        finite = np.isfinite(forces).all(axis=1)
        if not finite.all():
            raise _Refused(f"{name} is NaN or infinite at atom {_first(np.asarray(~finite))}")
        norms = np.linalg.norm(forces, axis=1)
        if norms.max() > MAX_FORCE_EV_PER_ANG:
            raise _Refused(
                f"|{name}| = {norms.max():.4g} eV/Å at atom {int(norms.argmax())}: wrong units?",
                f"forces are in eV/Å and below {MAX_FORCE_EV_PER_ANG:g}",
            )
    energies = [frame.energy, *(level.energy for level in frame.levels.values())]
    if not all(np.isfinite(energy) for energy in energies if energy is not None):
        raise _Refused("an energy is NaN or infinite")
    stress = frame.stress
    if stress is not None and not (stress.shape == (6,) and np.isfinite(stress).all()):
        raise _Refused("stress is not six (or symmetric 3x3) finite numbers")


def _check_labels(frame: Frame, manifest: DatasetManifest) -> None:
    """Rare-event labels: there where needed, consistent with each other and with the geometry."""
    import numpy as np

    mask, r = frame.re_mask, frame.r
    if mask is None and r is None and manifest.kind != RE_FORCES:
        return
    if mask is None or r is None:
        raise _Refused(f"no '{'re_mask' if mask is None else 'r'}' column")
    if mask.dtype != bool or not mask.shape == r.shape == (len(frame.atoms),):
        raise _Refused("re_mask must be a column of T and F, and r a column of one number")
    outside = np.asarray(~((r >= 0) & (r <= R_CAP_ANG + _TINY)))  # true for NaN as well
    if outside.any():
        raise _Refused(f"r outside 0..{R_CAP_ANG} Å at atom {_first(outside)}")
    disagree = np.not_equal(mask, r == 0)
    if disagree.any():
        raise _Refused(f"re_mask and r disagree at atom {_first(disagree)}: T means r = 0")
    distance = distance_to_re_atoms(frame.atoms, mask)
    below_cap = r < R_CAP_ANG - _TINY
    shortfall = np.where(below_cap, np.abs(distance - r), R_SEARCH_ANG - distance)
    wrong = shortfall > _R_TOLERANCE_ANG
    if wrong.any():
        atom = _first(wrong)
        raise _Refused(
            f"r = {r[atom]:.4f} Å at atom {atom}, nearest RE atom at {distance[atom]:.4f} Å",
            "labels and positions in different orders, or r not a minimum-image distance",
        )


def check_together(frames: Sequence[Frame], labels: Sequence[str]) -> None:
    """Check what needs all frames: unique ids, no frame twice, energies for all or for none.

    Raises:
        DataError: Naming the frames.
    """
    ids: dict[str, str] = {}
    prints: dict[str, str] = {}
    for frame, label in zip(frames, labels, strict=True):
        for seen, key, what in (
            (ids, frame.frame_id, f"frame_id '{frame.frame_id}'"),
            (prints, fingerprint(frame.atoms), "the same structure"),
        ):
            if key in seen:
                hint = "each frame once, each with its own id"
                raise DataError(f"{label}: {what} as in {seen[key]}", hint=hint)
            seen[key] = label
    for quantity, present in _presence(frames).items():
        if len(set(present)) > 1:
            label = labels[present.index(not present[0])]
            state = "missing" if present[0] else "present"
            raise DataError(
                f"{label}: {quantity} is {state}, unlike in {labels[0]}",
                hint=f"give {quantity} for all frames of a set or for none",
            )


def _presence(frames: Sequence[Frame]) -> dict[str, list[bool]]:
    table = {
        "energy": [frame.energy is not None for frame in frames],
        "stress": [frame.stress is not None for frame in frames],
        "re_mask": [frame.re_mask is not None for frame in frames],
    }
    for level in frames[0].levels if frames else ():
        table[f"energy_{level}"] = [frame.levels[level].energy is not None for frame in frames]
    return table


def fingerprint(atoms: Atoms) -> str:
    """Hash of species, cell and positions to 1e-6 Å: equal for a frame that is written twice."""
    import numpy as np

    digest = hashlib.sha256(np.asarray(atoms.numbers, dtype="<i8").tobytes())
    for array in (atoms.cell.array, atoms.positions):
        digest.update(np.round(np.asarray(array) * 1e6).astype("<i8").tobytes())
    return digest.hexdigest()


def _first(flags: NDArray[np.bool_]) -> int:
    return int(flags.argmax())
