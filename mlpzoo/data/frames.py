"""One labelled structure, and its form in an extended-XYZ file.

Written by hand rather than by ASE: ten decimals instead of eight, no padding, and the same bytes
(hence the same hash) whatever the version of ASE.  Read by ASE, so that files made elsewhere are
understood.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from mlpzoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

DECIMALS: Final = 10
"""Decimals of per-atom numbers: a round trip is exact to 5e-11 (Å, eV/Å)."""
_INFO_KEY: Final = re.compile(r"[A-Za-z]\w*")
_RESERVED: Final = re.compile(
    r"Lattice|Properties|pbc|frame_id|energy(_.*)?|forces(_.*)?|stress|virial|free_energy|re_mask|r"
)
_FIXED_POINT_BELOW: Final = 1e5  # larger numbers would lose digits of their 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelLabels:
    """Labels of one frame at a coarser level of theory: forces (n, 3) in eV/Å, energy in eV."""

    forces: FloatArray
    energy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """A structure with its reference labels.

    Attributes:
        atoms: Positions in Å, cell, pbc.  Its calculator and extra arrays are ignored when writing.
        frame_id: Unique in the data set; starts with a letter, no spaces.
        forces: (n, 3), eV/Å, at the reference level.
        energy: Total energy in eV, if known.
        stress: (6,), eV/Å³, ASE's sign and Voigt order xx, yy, zz, yz, xz, xy, if known.
        re_mask: (n,) bool: which atoms are in the middle of a migration.
        r: (n,), Å: minimum-image distance to the nearest RE atom, 0 for RE atoms, capped at 5.5.
        levels: Labels at coarser levels, by level name.
        info: Whatever else is known of the frame: strings (no quotes), numbers, booleans.
    """

    atoms: Atoms
    frame_id: str
    forces: FloatArray
    energy: float | None = None
    stress: FloatArray | None = None
    re_mask: NDArray[np.bool_] | None = None
    r: FloatArray | None = None
    levels: Mapping[str, LevelLabels] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)


def frames_to_text(frames: Sequence[Frame]) -> str:
    """All frames as one extended-XYZ text."""
    return "".join(line + "\n" for frame in frames for line in _lines(frame))


def _lines(frame: Frame) -> Iterator[str]:
    atoms = frame.atoms
    _check_shapes(frame)
    columns: dict[str, list[list[str]]] = {
        "species:S:1": [[symbol] for symbol in atoms.get_chemical_symbols()],
        "pos:R:3": _numbers(atoms.positions),
        "forces:R:3": _numbers(frame.forces),
    }
    if frame.re_mask is not None:
        columns["re_mask:L:1"] = [["T" if flag else "F"] for flag in frame.re_mask]
    if frame.r is not None:
        columns["r:R:1"] = [[_number(value)] for value in frame.r]
    for key in frame.info:
        if not _INFO_KEY.fullmatch(key) or _RESERVED.fullmatch(key):
            hint = "letters, digits and '_'; labels have fields of their own"
            raise DataError(f"frame '{frame.frame_id}': info key {key!r} cannot be used", hint=hint)
    info: dict[str, Any] = {"frame_id": frame.frame_id, "energy": frame.energy}
    for level, labels in frame.levels.items():
        columns[f"forces_{level}:R:3"] = _numbers(labels.forces)
        info[f"energy_{level}"] = labels.energy
    if frame.stress is not None:
        xx, yy, zz, yz, xz, xy = (float(value) for value in frame.stress)
        info["stress"] = [xx, xy, xz, xy, yy, yz, xz, yz, zz]
    info = {"Lattice": atoms.cell.array.ravel().tolist(), **info, **frame.info}
    header = [f"{key}={_info(value)}" for key, value in info.items() if value is not None]
    pbc = " ".join("T" if flag else "F" for flag in atoms.pbc)
    yield str(len(atoms))
    yield " ".join([*header[:1], f"Properties={':'.join(columns)}", *header[1:], f'pbc="{pbc}"'])
    for row in zip(*columns.values(), strict=True):
        yield " ".join(" ".join(cells) for cells in row)


def _check_shapes(frame: Frame) -> None:
    """Refuse arrays that have no form in the file; everything else is checked when read back."""
    n = len(frame.atoms)
    vectors = {"forces": frame.forces}
    vectors |= {f"forces_{level}": labels.forces for level, labels in frame.levels.items()}
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    shapes = {name: (array.shape, (n, 3)) for name, array in vectors.items()}
    for name, column in (("re_mask", frame.re_mask), ("r", frame.r)):
        if column is not None:
            shapes[name] = (column.shape, (n,))
    if frame.stress is not None:
        shapes["stress"] = (frame.stress.shape, (6,))
    for name, (found, wanted) in shapes.items():
        if found != wanted:
            raise DataError(
                f"frame '{frame.frame_id}': {name} has shape {found}, not {wanted}",
                hint="give every per-atom array one row an atom, in the order of the atoms",
            )


def _numbers(array: FloatArray) -> list[list[str]]:
    return [[_number(value) for value in row] for row in array.tolist()]


def _number(value: float) -> str:
    if not abs(value) < _FIXED_POINT_BELOW:  # NaN and infinity too: refused when read back
        return repr(value)
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _info(value: object) -> str:
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()  # numpy's scalars
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (list, tuple)):
        return '"' + " ".join(map(_info, value)) + '"'
    text = str(value)
    if '"' in text or "\n" in text:
        raise DataError(f"cannot write {text!r} in a frame's header", hint="leave quotes out")
    return f'"{text}"' if not text or set(text) & set(" ={}[],'\\") else text


def text_to_frames(text: str, *, where: str) -> Iterator[Frame]:
    """Parse an extended-XYZ text lazily; ``where`` names the file in errors.

    Raises:
        DataError: Naming file and frame: cut short, not extended XYZ, no forces, bad frame_id.
    """
    lines = text.splitlines()
    start = index = 0
    while start < len(lines):
        if not lines[start].strip():  # blank lines between frames are harmless
            start += 1
            continue
        label = f"{where}: frame {index}"
        if not lines[start].strip().isdecimal():
            _refuse(label, f"expected a number of atoms, found {lines[start][:40]!r}")
        stop = start + 2 + int(lines[start])
        if stop > len(lines):
            _refuse(label, f"cut short: {max(0, len(lines) - start - 2)} of {stop - start - 2} atoms")
        yield _frame("\n".join(lines[start:stop]) + "\n", label)
        start, index = stop, index + 1


def _frame(chunk: str, label: str) -> Frame:
    import numpy as np
    from ase import Atoms
    from ase.io import iread

    try:
        atoms = next(iter(iread(io.StringIO(chunk), format="extxyz")))
    except Exception as error:  # noqa: BLE001  # ASE raises whatever its regular expressions hit
        _refuse(label, f"not extended XYZ ({type(error).__name__}: {error})")
    # ASE moves the keys it knows into a calculator; the others stay in info and arrays.
    found = {**atoms.info, **atoms.arrays, **(atoms.calc.results if atoms.calc else {})}
    for key in ("forces", "frame_id"):
        if key not in found:
            _refuse(label, f"no '{key}' {'column' if key == 'forces' else 'in the header'}")
    frame_id = found["frame_id"]
    if not isinstance(frame_id, str):
        _refuse(label, f"frame_id {frame_id!r} reads as a number or a flag, not as text")
    levels = {}
    for key in [key for key in found if key.startswith("forces_")]:
        level = key.removeprefix("forces_")
        levels[level] = LevelLabels(forces=found[key], energy=_energy(found, f"energy_{level}", label))
    standard = {"energy", "forces", "stress", "free_energy", "frame_id", "re_mask", "r"}
    for key in atoms.info:
        if key.startswith("energy_") and key.removeprefix("energy_") not in levels:
            _refuse(label, f"'{key}' without a column 'forces_{key.removeprefix('energy_')}'")
    info = {k: v for k, v in atoms.info.items() if k not in standard and not k.startswith("energy_")}
    bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    bare.info = {"frame_id": frame_id, **info}
    return Frame(
        atoms=bare,
        frame_id=frame_id,
        forces=np.asarray(found["forces"], dtype=float),
        energy=_energy(found, "energy", label),
        stress=np.asarray(found["stress"], dtype=float) if "stress" in found else None,
        re_mask=found.get("re_mask"),
        r=np.asarray(found["r"], dtype=float) if "r" in found else None,
        levels=levels,
        info=info,
    )


def _energy(found: Mapping[str, Any], key: str, label: str) -> float | None:
    value = found.get(key)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        _refuse(label, f"'{key}' is not a number: {value!r}")


def _refuse(label: str, reason: str) -> NoReturn:
    raise DataError(
        f"{label}: {reason}",
        hint="columns: see benchmarks_data/README.md; check with 'mlpzoo data verify DIR'",
    )
