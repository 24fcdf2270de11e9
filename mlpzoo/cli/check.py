"""``mlpzoo check``: does a model keep the promises of the interface?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlpzoo.cli import completing

if TYPE_CHECKING:
    from mlpzoo import wire


@click.command()
@click.argument("models", nargs=-1, shell_complete=completing.models)
@click.option("--all", "everything", is_flag=True, help="The default model of every family.")
@click.option("--only", default="", help="Comma-separated names of checks.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64", show_default=True)
@click.option(
    "--timeout", "timeout_s", type=float, default=1800.0, show_default=True, help="Seconds per model."
)
def check(models: tuple[str, ...], only: str, *, everything: bool, **options: Any) -> None:
    """Run the conformance kit on MODELS, each in its own environment.

    Exits with 1 if a promise is broken.

    \b
    mlpzoo check mace
    mlpzoo check mace/si-small nequip:my.ckpt
    mlpzoo check --all
    """  # noqa: D301
    from mlpzoo.conformance import check_model
    from mlpzoo.errors import UsageError, ZooError
    from mlpzoo.registry import default_registry

    registry = default_registry()
    names = [f for f in registry.families if any(c.startswith(f"{f}/") for c in registry.cards)]
    models = tuple(names) if everything else models
    if not models:
        raise UsageError("no model named", hint="mlpzoo check mace, or mlpzoo check --all")
    broken = False
    for name in models:
        found: list[wire.Checked] = []

        def show(item: wire.Checked, found: list[wire.Checked] = found) -> None:
            found.append(item)
            colour = {"passed": "green", "failed": "red"}.get(item.status, "yellow")
            click.echo(f"  {click.style(f'{item.status:8}', fg=colour)} {item.promise}")
            if item.message:
                click.echo(f"           {item.message}")

        click.echo(click.style(name, bold=True))
        try:
            check_model(
                name, tuple(n for n in only.split(",") if n), on_result=show, registry=registry,
                on_progress=lambda text: click.echo(f"  {text}", err=True), **options,
            )  # fmt: skip
        except ZooError as error:
            if not everything:
                raise
            click.echo(f"  {click.style('failed', fg='red')}   {error.message}")
            broken = True
        counts = {s: sum(f.status == s for f in found) for s in ("passed", "failed", "skipped")}
        click.echo("  " + ", ".join(f"{n} {s}" for s, n in counts.items()))
        broken = broken or counts["failed"] > 0 or counts["passed"] == 0
    if broken:
        click.get_current_context().exit(1)
