"""``.mtp`` files: reading with the checks that motep leaves out, and the elements.

Importing this imports motep.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from motep.io.mlip.mtp import read_mtp, write_mtp
from motep.potentials.mmtp.data import MagMTPData

from mlpzoo.errors import ModelError
from mlpzoo.weights import own_or_in_package

if TYPE_CHECKING:
    from motep.potentials.mtp.data import MTPData

    from mlpzoo.models import ModelSpec

TAG: Final = "elements"
RADIAL_BASIS: Final = "RBChebyshev"
_SELECTION: Final = b"#MVS_"
"""Behind it MLIP-3 writes the state of its active learning, partly binary."""


def load(spec: ModelSpec) -> MTPData:
    """A potential with its coefficients and the atomic numbers of its types.

    Raises:
        ModelError: The file is missing or is no trained potential of a kind that motep's engine computes, or
            its elements are not known.
    """
    path = own_or_in_package(spec, "give the path of a '.mtp' potential")
    try:
        data = _read(path)
        reason = _defect(data)
    except Exception as error:
        raise ModelError(
            f"{spec.name}: motep cannot load {path}: {error or type(error).__name__}",
            hint="give a '.mtp' file of MLIP-2, MLIP-3, motep or 'mlpzoo train mtp'",
        ) from error
    if reason:
        raise ModelError(
            f"{spec.name}: {path.name} {reason}",
            hint=f"give a trained, non-magnetic potential with '{RADIAL_BASIS}' functions",
        )
    data.species = [atomic_numbers[symbol] for symbol in _elements(data, spec)]
    return data


def write(data: MTPData, path: Path) -> None:
    """Write a potential with the names of its elements, whole or not at all."""
    data.potential_tag = " ".join([TAG, *symbols(data)])
    temporary = path.with_name(f"{path.name}.part")
    write_mtp(temporary, data, legacy=True)  # what MLIP-2 and LAMMPS read, too
    temporary.replace(path)


def symbols(data: MTPData) -> tuple[str, ...]:
    """The elements of a potential in the order of its types."""
    return tuple(chemical_symbols[number] for number in data.species)


def _read(path: Path) -> MTPData:
    """What motep reads, of files that it writes itself and of MLIP-3's with a selection state, too.

    motep wants the number of radial functions before their coefficients, and writes it behind them.
    """
    text = path.read_bytes().partition(_SELECTION)[0].decode()
    lines = text.splitlines()
    names = [line.partition("=")[0].strip() for line in lines]
    if {"radial_coeffs", "radial_funcs_count"} <= set(names):
        functions, count = names.index("radial_coeffs"), names.index("radial_funcs_count")
        lines.insert(min(functions, count), lines.pop(count))
    with TemporaryDirectory() as directory:
        ordered = Path(directory) / path.name
        ordered.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return read_mtp(ordered)


def _elements(data: MTPData, spec: ModelSpec) -> list[str]:
    """Chemical symbols of the types: from the file's tag, or the only one of its card."""
    words = str(data.potential_tag).replace(",", " ").split()
    if words[:1] == [TAG]:
        found = words[1:]
    elif spec.card is not None and len(spec.card.elements) == data.species_count == 1:
        found = list(spec.card.elements)
    else:
        example = " ".join((TAG, "Si", "Ge", "C", "O", "N")[: data.species_count + 1])
        raise ModelError(
            f"{spec.name}: the file knows {data.species_count} elements by number only",
            hint="write their symbols, in the order of the types, into its line 'potential_tag =': "
            f"'potential_tag = {example}'",
        )
    unknown = [word for word in found if atomic_numbers.get(word, 0) < 1]
    if unknown or len(set(found)) != len(found) or len(found) != data.species_count:
        raise ModelError(
            f"{spec.name}: 'potential_tag = {' '.join(words)}' does not name {data.species_count} elements",
            hint=f"write 'potential_tag = {TAG}' and one chemical symbol for each type of the file",
        )
    return found


def _defect(data: MTPData) -> str:
    """What is wrong with a potential; motep's engine would read other memory, or be silently wrong."""
    if isinstance(data, MagMTPData):
        return "has magnetic moments, which are not supported"
    if data.radial_basis.type != RADIAL_BASIS:
        return (
            f"has radial functions of type '{data.radial_basis.type}', and motep knows '{RADIAL_BASIS}' only"
        )
    coefficients = {
        "radial_coeffs": (
            data.radial_coeffs,
            (*[data.species_count] * 2, data.radial_funcs_count, data.radial_basis.size),
        ),
        "species_coeffs": (data.species_coeffs, (data.species_count,)),
        "moment_coeffs": (data.moment_coeffs, (data.alpha_scalar_moments,)),
    }
    for name, (values, shape) in coefficients.items():
        if values is None:
            return f"is not trained: it has no {name}"
        if values.shape != shape or not np.isfinite(values).all():
            return f"has broken {name}"
    if not np.isfinite([data.radial_basis.min, data.radial_basis.max, data.scaling]).all():
        return "has a broken min_dist, max_dist or scaling"
    n, n_basic = int(data.alpha_moments_count), int(data.alpha_index_basic_count)
    basic, times, scalars = data.alpha_index_basic, data.alpha_index_times, data.alpha_moment_mapping
    numbers_fit = (
        data.radial_basis.size > 1
        and data.radial_basis.max > 0
        and basic.shape == (n_basic, 4)
        and times.shape == (int(data.alpha_index_times_count), 4)
        and scalars.shape == (int(data.alpha_scalar_moments),)
        and n_basic <= n
        and all(0 <= row[0] < data.radial_funcs_count and min(row[1:]) >= 0 for row in basic)
        and all(0 <= index < n for index in itertools.chain(times[:, [0, 1, 3]].flat, scalars))
        and len(set(scalars)) == len(scalars)
    )
    return "" if numbers_fit else "has tables that do not fit together"
