"""``mlpzoo completion``: the script that teaches a shell to complete."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  mlpzoo completion bash >> ~/.bashrc
    zsh:   mlpzoo completion zsh >> ~/.zshrc
    fish:  mlpzoo completion fish > ~/.config/fish/completions/mlpzoo.fish
    """  # noqa: D301
    from click.shell_completion import get_completion_class

    from mlpzoo.cli import cli

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  (the choices are click's)
    click.echo(found(cli, {}, "mlpzoo", "_MLPZOO_COMPLETE").source())
