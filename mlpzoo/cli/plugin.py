"""``mlpzoo plugin``: for those who write one."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def plugin() -> None:
    """Begin a plugin of your own. 'mlpzoo plugins' lists those that are installed."""


@plugin.command()
@click.argument("family")
@click.option(
    "--package", "-p", "packages", multiple=True, metavar="NAME==VERSION",
    help="A package of its environment, e.g. torch-thing==1.2; may be repeated. None: ASE is all it needs.",
)  # fmt: skip
@click.option(
    "--import", "-i", "imports", multiple=True, metavar="MODULE",
    help="What must be importable in it [default: the packages' names].",
)  # fmt: skip
@click.option(
    "--directory", "-d", type=click.Path(path_type=Path), default=Path(), show_default="here",
    help="Where mlpzoo-FAMILY is made.",
)  # fmt: skip
def new(family: str, packages: tuple[str, ...], imports: tuple[str, ...], directory: Path) -> None:
    """Write the package mlpzoo-FAMILY: its hook, backend, card and tests.

    The calculator is yours to write: one function. Then its own tests and 'mlpzoo check FAMILY' say what is
    left to do.

    \b
    mlpzoo plugin new flat
    mlpzoo plugin new grace --package tensorpotential==0.6.2
    """  # noqa: D301
    from mlpzoo.errors import UsageError
    from mlpzoo.plugin_skeleton import write_skeleton
    from mlpzoo.registry import default_registry

    if family in default_registry().families:
        raise UsageError(f"there is a family '{family}'", hint="choose another name; see 'mlpzoo models'")
    written = write_skeleton(family, directory, packages=packages, imports=imports)
    root = directory / f"mlpzoo-{family}"
    for path in written:
        click.echo(path)
    (backend,) = (path for path in written if path.name == "backend.py")
    lock = [f"mlpzoo env lock {root}"] if packages else []
    click.echo("\nnext:")
    for step in (
        *lock,
        f"pip install -e {root}",
        f"$EDITOR {backend}   # write calculator(), and the card beside it",
        f"mlpzoo check {family}",
        f"pytest {root}",
        f"mlpzoo compare --models {family}",
    ):
        click.echo(f"  {step}")
