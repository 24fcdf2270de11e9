"""``crystal.toml``: a material for the property benchmarks, and ``references.toml`` beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mlpzoo.data import tomltext
from mlpzoo.errors import DataError, UsageError, did_you_mean
from mlpzoo.files import write_atomically

if TYPE_CHECKING:
    from mlpzoo.data.spec import DatasetSpec

CRYSTAL: Final = "crystal"
"""Kind of a set without frames: a crystal to compute properties of."""
CRYSTAL_NAME: Final = "crystal.toml"
REFERENCES_NAME: Final = "references.toml"
SCHEMA: Final = "mlpzoo.crystal/1"
REFERENCES_SCHEMA: Final = "mlpzoo.references/1"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrystalManifest:
    """All of ``crystal.toml``.

    Attributes:
        name: Unique name, for example ``si-crystal``.
        title: One line for people.
        system: Name of the material that benchmarks group by.
        symbol: Chemical symbol.
        structure: ``diamond``, ``fcc`` or ``bcc``.
        lattice_constant_ang: Of the cubic cell; where each model's search for its own one starts.
        melting_temperature_kelvin: Experimental; simulations stay below it unless they say so.
        diffusion_temperatures_kelvin: At least three, rising, for MD with a defect.
        licence: SPDX identifier of the references.
        citation: Where lattice constant and melting temperature are from.
    """

    name: str
    title: str
    system: str
    symbol: str
    structure: str
    lattice_constant_ang: float
    melting_temperature_kelvin: float
    diffusion_temperatures_kelvin: tuple[float, ...]
    licence: str
    citation: str
    schema: str = SCHEMA

    @property
    def kind(self) -> str:
        """What kind of a data set it is."""
        return CRYSTAL


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceValue:
    """One entry of ``references.toml``.

    Attributes:
        benchmark: Whose quantity.
        case: Case of the benchmark.
        quantity: Name of the quantity.
        value: In this unit.
        unit: Has to be the quantity's.
        level_of_theory: ``PBE``, ``experiment``, ...
        source: DOI, or the command that computed it.
        note: Whatever else one should know: program, cell, temperature.
    """

    benchmark: str
    case: str
    quantity: str
    value: float
    unit: str
    level_of_theory: str
    source: str
    note: str = ""


def read_crystal(path: Path) -> CrystalManifest:
    """Read and check ``crystal.toml``.

    Raises:
        DataError: No such file, not TOML, wrong schema, unknown or missing key, wrong type or value.
    """
    raw = _read(path, SCHEMA)
    found = _convert(raw, CrystalManifest, str(path))
    temperatures = found.diffusion_temperatures_kelvin
    if found.structure not in ("diamond", "fcc", "bcc"):
        raise DataError(f"{path}: structure is '{found.structure}'", hint="use diamond, fcc or bcc")
    if not found.lattice_constant_ang > 0 or not found.melting_temperature_kelvin > 0:
        raise DataError(f"{path}: lattice constant and melting temperature must be positive", hint=_HINT)
    if len(temperatures) < 3 or sorted(set(temperatures)) != list(temperatures):  # noqa: PLR2004
        raise DataError(
            f"{path}: diffusion_temperatures_kelvin = {list(temperatures)}",
            hint="give at least three, rising",
        )
    return found


def find_crystal(system: str, datasets: Iterable[DatasetSpec]) -> CrystalManifest:
    """The crystal of a system.

    Args:
        system: For example ``si``.
        datasets: All that are known: ``registry.datasets``.

    Raises:
        UsageError: None of them is a crystal of this system.
        DataError: Its manifest is wrong.
    """
    found = {d.system: d.directory for d in datasets if d.kind == CRYSTAL and d.directory is not None}
    if system not in found:
        known = f"{did_you_mean(system, found)}there are {', '.join(sorted(found))}"
        raise UsageError(f"there is no crystal '{system}'", hint=known)
    return read_crystal(found[system] / CRYSTAL_NAME)


def read_references(path: Path) -> tuple[ReferenceValue, ...]:
    """All reference values of a file; none if there is no such file.

    Raises:
        DataError: Not TOML, wrong schema, unknown or missing key, a value twice or not finite, no source.
    """
    if not path.exists():
        return ()
    raw = _read(path, REFERENCES_SCHEMA)
    entries = raw.get("references", [])
    unknown = sorted(set(raw) - {"schema", "references"})
    if unknown or not isinstance(entries, list):
        wrong = f"unknown key '{unknown[0]}'" if unknown else "'references' is no list"
        raise DataError(f"{path}: {wrong}", hint="each value is a table [[references]]")
    found = [
        _convert(entry, ReferenceValue, f"{path}: reference {number + 1}")
        for number, entry in enumerate(entries)
    ]
    seen: set[tuple[str, ...]] = set()
    for value in found:
        key = _key(value)
        where = f"{path}: {' · '.join(key)}"
        if key in seen:
            raise DataError(f"{where} is there twice", hint="keep one of them")
        if not value.source.strip():
            raise DataError(f"{where} has no source", hint="give a DOI, or the command that computed it")
        if not math.isfinite(value.value):
            raise DataError(f"{where}: value is {value.value}", hint="leave out what has no number")
        seen.add(key)
    return tuple(found)


def write_references(path: Path, new: Sequence[ReferenceValue]) -> None:
    """Add values to a file; a value of the same quantity, case and level of theory is replaced.

    Raises:
        DataError: The file that is there cannot be read.
    """
    kept = {_key(value): value for value in read_references(path)}
    kept.update({_key(value): value for value in new})
    entries = [
        {f.name: getattr(value, f.name) for f in fields(value) if f.name != "note" or value.note}
        for _, value in sorted(kept.items())
    ]
    text = tomltext.dumps({"schema": REFERENCES_SCHEMA, "references": entries})
    write_atomically(path, text.encode())


_HINT: Final = "the format is described in benchmarks_data/README.md"


def _key(value: ReferenceValue) -> tuple[str, ...]:
    return (value.benchmark, value.case, value.quantity, value.level_of_theory)


def _read(path: Path, schema: str) -> dict[str, Any]:
    try:
        raw = tomltext.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot read it ({error.strerror})", hint=_HINT) from error
    except ValueError as error:
        raise DataError(f"{path}: not valid TOML: {error}", hint=_HINT) from error
    if raw.get("schema") != schema:
        raise DataError(f"{path}: schema is {raw.get('schema')!r}, this mlpzoo reads '{schema}'", hint=_HINT)
    return dict(raw)


def _convert(raw: dict[str, Any], kind: type[_T], where: str) -> _T:
    import msgspec

    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise DataError(f"{where}: unknown key '{unknown[0]}'", hint=f"known keys: {', '.join(known)}")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise DataError(f"{where}: {error}", hint=_HINT) from error
