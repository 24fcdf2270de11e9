"""``mlpzoo env``: the environments of the families."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlpzoo.cli import completing
from mlpzoo.errors import EnvError, UsageError

if TYPE_CHECKING:
    from mlpzoo.envs import EnvSpec
    from mlpzoo.registry import Registry

TORCH = click.option(
    "--torch",
    default="",
    help="Build of torch: auto, cpu, cu128, ..., index [default: $MLPZOO_TORCH or auto].",
)
PYTHON = click.option(
    "--python", default="", help="Python version or path [default: $MLPZOO_PYTHON or this one]."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def env() -> None:
    """Each family of models lives in an environment of its own, made by uv from a lock file.

    Package indexes, wheel directories and certificates are taken from uv's settings and, where those are
    unset, from pip's.
    """


def _spec(family: str, python: str, torch: str) -> EnvSpec:
    from mlpzoo import envs
    from mlpzoo.plugin_files import family_of, lock_in
    from mlpzoo.registry import default_registry

    tree = _source_tree(family)
    if tree is not None:
        return envs.spec_for(family_of(tree), lock_in(tree), python=python, torch=torch)
    spec = envs.spec_of(default_registry().backend(family).item, python=python, torch=torch)
    if spec is None:
        raise UsageError(f"family '{family}' needs no environment", hint=f"mlpzoo check {family}")
    return spec


def _source_tree(family: str) -> Path | None:
    """The directory of a plugin that is being written, if that is meant: a family's name means the family."""
    from mlpzoo.registry import default_registry

    path = Path(family)
    return path if path.is_dir() and family not in default_registry().families else None


def _wanted(registry: Registry) -> dict[Path, list[str]]:
    """Directory of each environment that is asked for, to the families that share it."""
    from mlpzoo import envs

    found: dict[Path, list[str]] = {}
    for family in registry.families:
        spec = envs.spec_of(registry.backend(family).item)
        if spec is not None:
            found.setdefault(spec.directory, []).append(family)
    return found


@env.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> None:
    """List the environments: family, size, age, state; and the families that have none yet."""
    from mlpzoo import envs
    from mlpzoo.cli.listing import show
    from mlpzoo.registry import default_registry

    registry = default_registry()
    rows = []
    wanted = _wanted(registry)
    found = envs.all_environments()
    for environment in found:
        marker = environment.marker
        age = max(0.0, time.time() - environment.directory.stat().st_mtime)
        rows.append(
            {
                "environment": environment.directory.name,
                "used by": wanted.get(environment.directory, ["nothing: mlpzoo env remove --unused"]),
                "state": environment.problem or "ready",
                "size": f"{marker.size_bytes / 1e9:.2f} GB" if marker else "",
                "Python": marker.python if marker else "",
                "torch": marker.torch if marker else "",
                "age": f"{age / 86400:.1f} days",
                "made in": f"{marker.seconds:.0f} s" if marker else "",
            }
        )
    have = {e.directory for e in found}
    empty = dict.fromkeys(rows[0] if rows else ("environment", "used by", "state"), "")
    rows += [
        {**empty, "environment": d.name, "used by": fs, "state": f"not made: mlpzoo env create {fs[0]}"}
        for d, fs in wanted.items()
        if d not in have
    ]
    show(rows, as_json=as_json, wide=("state", "used by"))


@env.command()
@click.argument("families", nargs=-1, required=True, shell_complete=completing.families)
@PYTHON
@TORCH
def create(families: tuple[str, ...], python: str, torch: str) -> None:
    """Make the environments of FAMILIES now, instead of on first use.  A broken one is made again.

    FAMILY may also be the directory of a plugin that is not installed yet: with a requirements.lock in it.
    """
    from mlpzoo import envs

    for family in families:
        spec = _spec(family, python, torch)
        start = time.monotonic()

        def say(text: str, *, family: str = family, start: float = start) -> None:
            click.echo(f"{time.monotonic() - start:6.1f} s  {family}: {text}", err=True)

        environment = envs.ensure(spec, say)
        size = environment.marker.size_bytes / 1e9 if environment.marker else 0.0
        click.echo(f"{family}: {environment.directory.name} is ready, {size:.2f} GB")


@env.command()
@click.argument("families", nargs=-1, shell_complete=completing.families)
@click.option("--unused", is_flag=True, help="Also those that no family's lock file asks for any more.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
def remove(families: tuple[str, ...], *, unused: bool, everything: bool) -> None:
    """Delete the environments of FAMILIES (names of families or of environments)."""
    from mlpzoo import envs
    from mlpzoo.registry import default_registry

    if not (families or unused or everything):
        raise UsageError("nothing to remove", hint="name a family, or use --unused or --all")
    registry = default_registry()
    used = _wanted(registry)
    removed = 0
    matched = set()
    for environment in envs.all_environments():
        name = environment.directory.name
        called = (name, name.rpartition("-")[0], *used.get(environment.directory, ()))
        mine = {f for f in families if f in called}
        matched |= mine
        if everything or mine or (unused and environment.directory not in used):
            envs.remove(environment)
            click.echo(f"removed {name}")
            removed += 1
    missing = sorted(set(families) - matched)
    if missing:
        raise UsageError(f"no environment of {', '.join(missing)}", hint="see 'mlpzoo env list'")
    if not removed:
        click.echo("nothing to remove")


@env.command()
@click.argument("families", nargs=-1, required=True, shell_complete=completing.families)
@click.option("--python", default="3.10", show_default=True, help="Oldest Python that the lock is for.")
@click.option("--upgrade", is_flag=True, help="Take the newest versions, instead of keeping old pins.")
def lock(families: tuple[str, ...], python: str, *, upgrade: bool) -> None:
    """Resolve the requirements.in of FAMILIES into their requirements.lock.

    Pins of an existing lock change only where they must.  FAMILY may also be a directory that holds a
    requirements.in, for a plugin that is being written.
    """
    from mlpzoo import lockfile
    from mlpzoo.registry import default_registry

    for family in families:
        tree = _source_tree(family)
        if tree is not None:
            target = tree / "requirements.lock"
        else:
            found = default_registry().backend(family).item.lock_file
            if found is None:
                raise UsageError(f"family '{family}' needs no environment")
            target = found
        source = target.with_name("requirements.in")
        if not source.is_file():
            raise EnvError(f"{source}: no such file", hint="list the family's packages in it")
        old = target.read_bytes() if target.is_file() else b""
        made = lockfile.make_lock(source, target, python=python, upgrade=upgrade)
        changed = "changed" if target.read_bytes() != old else "unchanged"
        open_ = f", left open: {', '.join(made.variants)}" if made.variants else ""
        click.echo(f"{target.name} of {family}: {len(made.packages)} packages, {changed}{open_}")
