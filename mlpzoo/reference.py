"""Reference values of property benchmarks: the same function as for any model, with DFT as its calculator."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import BenchmarkSpec, Case, Job, Outcome, ProgressFn, RunSettings
from mlpzoo.errors import DataError, UsageError

if TYPE_CHECKING:
    from mlpzoo.data.crystal import ReferenceValue
    from mlpzoo.data.pw_calculator import PwCalculator


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What DFT gave for one case: everything the benchmark returned, and what becomes a reference."""

    case: Case
    outcome: Outcome
    references: tuple[ReferenceValue, ...]


def compute(
    benchmark: BenchmarkSpec,
    case: Case,
    calculator: PwCalculator,
    *,
    settings: RunSettings,
    options: dict[str, Any],
    progress: ProgressFn,
    checkpoints: Path | None = None,
) -> Computed:
    """Run a benchmark with a DFT calculator.

    Args:
        benchmark: With quantities that are compared with a reference.
        case: Of this benchmark.
        calculator: The DFT calculator.
        settings: As for the models.
        options: Parameters of the case to replace; they become part of the source.
        progress: Of the benchmark.
        checkpoints: Directory for what the benchmark saves on its way.

    Raises:
        UsageError: An option that the benchmark never looked at, or no quantity that takes a reference.
        CalculationError: DFT or a relaxation did not converge.
        DataError: The benchmark gave no value.
    """
    from mlpzoo.data.crystal import ReferenceValue

    wanted = {q.name: q for q in benchmark.quantities if q.better == "closer"}
    if not wanted:
        raise UsageError(
            f"'{benchmark.name}' has no quantity that is compared with a reference",
            hint="see 'mlpzoo benchmarks'",
        )
    params = _Asked({**case.params, **options})
    case = replace(case, params=params)
    outcome = benchmark.run(calculator, case, settings, Job(progress=progress, directory=checkpoints))
    ignored = sorted(set(options) - params.asked)
    if ignored:
        raise UsageError(
            f"'{benchmark.name}' does not know the parameter '{ignored[0]}'",
            hint=f"it asked for {', '.join(sorted(params.asked))}; the calculations are kept",
        )
    found = {name: value for name, value in outcome.values.items() if name in wanted}
    if not found:
        raise DataError(
            f"{benchmark.name} · {case.name}: DFT gave no value",
            hint="; ".join(f"{k}: {v}" for k, v in outcome.absent.items()) or outcome.message,
        )
    command = f"mlpzoo reference {benchmark.name} --system {case.name} --profile {settings.profile}"
    command += "".join(f" --set {name}={str(value).lower()}" for name, value in sorted(options.items()))
    command += f" --seed {settings.seed}" if settings.seed else ""
    note = f"{calculator.code}, {calculator.description}, {time.strftime('%Y-%m-%d', time.gmtime())}"
    return Computed(
        case=case,
        outcome=outcome,
        references=tuple(
            ReferenceValue(
                benchmark=benchmark.name,
                case=case.name,
                quantity=name,
                value=round(value, wanted[name].decimals + 2),
                unit=wanted[name].unit,
                level_of_theory="PBE",
                source=command,
                note=note,
            )
            for name, value in found.items()
        ),
    )


class _Asked(dict[str, Any]):
    """Parameters that know which of them were asked for."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


def parse_options(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``("vacancy=false", "n=3")`` to ``{"vacancy": False, "n": 3}``: values as in TOML, or plain words.

    Raises:
        UsageError: A pair without ``=``.
    """
    from mlpzoo.data import tomltext

    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"'{pair}' is not NAME=VALUE", hint="for example --set vacancy=false")
        try:
            options[name.strip()] = tomltext.loads(f"value = {text}")["value"]
        except ValueError:
            options[name.strip()] = text.strip()
    return options
