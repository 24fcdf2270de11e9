"""``sampling.toml``: which structures a training set is made of."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from mlpzoo.data import tomltext
from mlpzoo.errors import DataError

SCHEMA: Final = "mlpzoo.sampling/1"
Method = Literal["strain", "md", "rare-events", "path", "melt"]
Defect = Literal["none", "vacancy", "interstitial"]
NEEDS_MODEL: Final = ("md", "rare-events", "path", "melt")
_HINT: Final = "the format is described in benchmarks_data/README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One ``[[sample]]``: some structures made in one way.

    Attributes:
        name: Unique name, for example ``vacancy-md``; it is the group of its frames.
        method: ``strain``: the crystal, strained at random and rattled; ``md``: snapshots of MD at several
            temperatures; ``rare-events``: snapshots of MD in which atoms migrate; ``path``: images of one hop
            with the other atoms partly relaxed, then rattled; ``melt``: snapshots of a melt while it cools.
        file: Which file of the set they are for: ``train``, ``validation``, ...
        count: How many.
        seed: Of everything random.
        repeat: Cubic cells in each direction.
        defect: What the cell holds.
        temperatures_kelvin: Of the thermostat, in turn.
        time_ps: Of MD at each temperature; the first quarter is left out.
        pool: MD snapshots to choose ``count`` from, by farthest-point sampling; as many as ``count`` if 0.
        max_strain: Largest component of the random strain.
        rattle_ang: Standard deviation of the random displacements.
        density: Of a melt, over the crystal's.
    """

    name: str
    method: Method
    count: int
    file: str = "train"
    seed: int = 1
    repeat: tuple[int, int, int] = (2, 2, 2)
    defect: Defect = "none"
    temperatures_kelvin: tuple[float, ...] = ()
    time_ps: float = 2.0
    pool: int = 0
    max_strain: float = 0.0
    rattle_ang: float = 0.0
    density: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingPlan:
    """All of ``sampling.toml``.

    Attributes:
        system: Name of the data set that the frames are for.
        crystal: A system that has a ``crystal.toml``, for example ``si``.
        lattice_constant_ang: At the level of theory of the labels.
        levels: Levels of theory that each frame is to be labelled at, in this order.
        samples: What to make.
        schema: Version of this format.
    """

    system: str
    crystal: str
    lattice_constant_ang: float
    levels: tuple[str, ...]
    samples: tuple[Sample, ...]
    schema: str = SCHEMA


def read_plan(path: Path) -> SamplingPlan:
    """Read and check a plan.

    Raises:
        DataError: No such file, not TOML, unknown or missing key, wrong type or value; the message names it.
    """
    import msgspec

    try:
        raw = tomltext.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot read it ({error.strerror})", hint=_HINT) from error
    except ValueError as error:
        raise DataError(f"{path}: not valid TOML: {error}", hint=_HINT) from error
    if raw.get("schema") != SCHEMA:
        raise DataError(
            f"{path}: schema is {raw.get('schema')!r}, this mlpzoo reads '{SCHEMA}'",
            hint=f'write schema = "{SCHEMA}"',
        )
    samples = raw.pop("sample", [])
    _known(raw, SamplingPlan, str(path))
    for sample in samples:
        _known(sample, Sample, f"{path}: sample '{sample.get('name', '?')}'")
    try:
        plan = msgspec.convert(raw | {"samples": samples}, SamplingPlan)
    except msgspec.ValidationError as error:
        raise DataError(f"{path}: {error}", hint=_HINT) from error
    problem = _problem(plan)
    if problem:
        raise DataError(f"{path}: {problem}", hint=_HINT)
    return plan


def _known(table: dict[str, Any], cls: type, where: str) -> None:
    unknown = sorted(set(table) - {field.name for field in dataclasses.fields(cls)})
    if unknown:
        raise DataError(f"{where}: unknown key '{unknown[0]}'", hint=_HINT)


def _problem(plan: SamplingPlan) -> str:
    names = [sample.name for sample in plan.samples]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not plan.samples or twice:
        return f"two samples are called '{twice[0]}'" if twice else "no [[sample]]"
    if not plan.lattice_constant_ang > 0 or not plan.levels:
        return "lattice_constant_ang must be positive, and levels not empty"
    for sample in plan.samples:
        problem = _sample_problem(sample)
        if problem:
            return f"sample '{sample.name}': {problem}"
    return ""


def _sample_problem(sample: Sample) -> str:
    if sample.count < 1 or min(sample.repeat) < 1:
        return "count and repeat must be positive"
    if sample.method in ("md", "rare-events", "melt") and not sample.temperatures_kelvin:
        return f"the method '{sample.method}' needs temperatures_kelvin"
    if sample.method in ("rare-events", "path") and sample.defect == "none":
        return f"the method '{sample.method}' needs a defect"
    if sample.method == "rare-events" and len(sample.temperatures_kelvin) > 1:
        return "rare events are sampled at one temperature"
    if any(not t > 0 for t in sample.temperatures_kelvin) or not sample.time_ps > 0:
        return "temperatures and times must be positive"
    return ""
