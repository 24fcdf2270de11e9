"""``mlpzoo reference``: the values that models are compared with, by DFT."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from mlpzoo.benchmark import PROFILES, Profile, RunSettings
from mlpzoo.cli import completing
from mlpzoo.errors import UsageError


@click.command()
@click.argument("benchmark", shell_complete=completing.benchmarks)
@click.option("--system", "-s", default="si", show_default=True, help="A system or one of its cases.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="standard",
    show_default=True,
    help="Sizes and tolerances.",
)
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Replace a parameter of the case.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of every random number.")
@click.option("--pw-command", default="pw.x", show_default=True, help="The Quantum ESPRESSO program.")
@click.option(
    "--pseudo-dir",
    default="/usr/share/espresso/pseudo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the pseudopotentials.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder of the calculations [default: below mlpzoo's home].",
)
@click.option("--out", type=click.Path(path_type=Path), help="Add the values to this references.toml.")
def reference(
    benchmark: str,
    system: str,
    profile: Profile,
    pairs: tuple[str, ...],
    seed: int,
    pw_command: str,
    pseudo_dir: Path,
    work: Path | None,
    out: Path | None,
) -> None:
    """Compute the reference values of a property benchmark with Quantum ESPRESSO.

    It runs the very function that models are tested with, at the level of theory of the silicon sets:
    PBE, 18 Ry, k-points as in the shifted 2x2x2 mesh of 64 atoms. Each calculation is kept: the same
    command goes on where an interrupted one stopped, and several may run at once.

    \b
    mlpzoo reference bulk --system si
    mlpzoo reference vacancy-formation --system si --out references.toml
    """  # noqa: D301
    from mlpzoo import paths
    from mlpzoo.data.crystal import write_references
    from mlpzoo.data.espresso_engine import PwEngine
    from mlpzoo.data.pw_calculator import PwCalculator, level_for
    from mlpzoo.reference import compute, parse_options
    from mlpzoo.registry import default_registry

    options = parse_options(pairs)
    registry = default_registry()
    spec = registry.benchmark(benchmark).item
    cases = registry.select_cases(spec, (system,))
    if not cases:
        known = ", ".join(case.name for case in registry.cases(spec)) or "none"
        raise UsageError(f"'{benchmark}' has no case for '{system}'", hint=f"it has: {known}")
    start = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - start:8.0f} s  {text}", err=True)

    engine = PwEngine(command=pw_command, pseudo_dir=pseudo_dir)
    calculator = PwCalculator(engine, work or paths.below_home("reference"), level=level_for, told=say)
    try:
        for case in cases:
            done = compute(
                spec,
                case,
                calculator,
                settings=RunSettings(profile=profile, seed=seed),
                options=options,
                progress=lambda n, total, what: say(f"{n}/{total} {what}"),
            )
            for value in done.references:
                click.echo(f"{case.name} {value.quantity} = {value.value} {value.unit}")
            for quantity, reason in done.outcome.absent.items():
                click.echo(f"{case.name} {quantity}: {reason}")
            if done.outcome.message:
                click.echo(done.outcome.message)
            if out is not None:
                write_references(out, done.references)
    finally:
        calculator.close()
        costs = calculator.costs
        say(f"{costs.computed} calculations ({costs.cpu_s:.0f} CPU s), {costs.found} found on disk")
    sys.stdout.flush()
