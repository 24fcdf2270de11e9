"""The command line: parse, call, print.  Commands are imported when they are used."""

from __future__ import annotations

import sys
from typing import Any

import click

from mlpzoo import __version__
from mlpzoo.errors import WorkerError, ZooError

COMMANDS = {
    "compare": ("mlpzoo.cli.compare:compare", "Run benchmarks on models and print one table each."),
    "models": ("mlpzoo.cli.listing:models", "List the models: elements, properties, level of theory."),
    "benchmarks": ("mlpzoo.cli.listing:benchmarks", "List the benchmarks and what they measure."),
    "systems": ("mlpzoo.cli.listing:systems", "List the systems that benchmarks can run on."),
    "plugins": ("mlpzoo.cli.listing:plugins", "List the plugins, what they registered, what failed."),
    "plugin": ("mlpzoo.cli.plugin:plugin", "Begin a plugin of your own."),
    "env": ("mlpzoo.cli.env:env", "Make, list, remove and lock the families' environments."),
    "data": ("mlpzoo.cli.data:data", "Fetch, check and make data sets."),
    "fetch": ("mlpzoo.cli.fetch:fetch", "Download weights that do not come with a plugin."),
    "train": ("mlpzoo.cli.train:train", "Train a model of a family on a data set."),
    "results": ("mlpzoo.cli.results:results", "List stored results and checkpoints; delete stale ones."),
    "reference": (
        "mlpzoo.cli.reference:reference",
        "Compute the values that models are compared with, by DFT.",
    ),
    "select": ("mlpzoo.cli.select:select", "Train candidates; rank by average and by rare-event errors."),
    "check": ("mlpzoo.cli.check:check", "Test a model against the promises of the interface."),
    "completion": ("mlpzoo.cli.completion:completion", "Print the shell's completion script."),
}


class Lazy(click.Group):
    """A group whose commands are imported only when they run; errors become two lines and exit code 2.

    Attributes:
        table: Command name to (``module:attribute``, short help).
    """

    table: dict[str, tuple[str, str]]

    def __init__(self, *args: Any, table: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in self.table:
            return None
        import importlib

        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with near matches."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.table, n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


@click.group(
    cls=Lazy,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  mlpzoo compare --models mace,nequip     Docs: README.md",
)
@click.version_option(__version__, prog_name="mlpzoo")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.pass_context
def cli(ctx: click.Context, *, debug: bool) -> None:
    """Compare machine-learned interatomic potentials where averages hide their errors: on rare events.

    Each family of models runs in an environment of its own, made on first use, behind one ASE calculator.
    """
    ctx.ensure_object(dict)["debug"] = debug


def main(arguments: list[str] | None = None) -> None:
    """Entry point.  Exit codes: 0; 1: a task or check failed; 2: wrong usage or a `ZooError`; 130: Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"] if debug else arguments
    try:
        code = cli(arguments, prog_name="mlpzoo", standalone_mode=False)
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "mlpzoo"
        _say(error.format_message(), f"see '{path} --help'")
        sys.exit(2)
    except ZooError as error:
        if debug:
            raise
        _say(error.message, error.hint)
        if isinstance(error, WorkerError) and error.stderr_tail:
            click.echo(f"last lines of stderr:\n{error.stderr_tail}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:  # a full disk, a directory that cannot be written to
        if debug or not error.filename:
            raise
        _say(f"{error.filename}: {error.strerror}", "check space and permissions; see --debug")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        if debug:
            raise
        click.echo("interrupted; finished tasks are kept, the same command goes on", err=True)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, hint: str) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + message, err=True)
    if hint:
        click.echo(click.style("hint: ", fg="yellow", bold=True) + hint, err=True)
