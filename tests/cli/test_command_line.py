"""Help, errors, exit codes, completion: what holds for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
import zoo_harness as harness

import mlpzoo
from mlpzoo.cli import Lazy, cli

if TYPE_CHECKING:
    from conftest import Zoo


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, as typed."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL = sorted(commands())

# -- help --------------------------------------------------------------------------------------------


def test_every_command_was_found() -> None:
    assert {path[0] for path in ALL if path} == set(cli.list_commands(click.Context(cli)))
    assert ("env", "create") in ALL
    assert ("data", "fetch") in ALL
    assert len(ALL) > 15


@pytest.mark.parametrize("path", ALL, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_of_every_command_exits_with_0_and_fits_80_columns(
    zoo: Zoo, path: tuple[str, ...], flag: str
) -> None:
    done = zoo(*path, flag)
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith(f"Usage: {' '.join(('mlpzoo', *path))} ")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\\b" not in done.out, "click's sign for 'do not wrap' has to be the control character"


def test_short_help_of_the_list_is_that_of_the_command_it_names() -> None:
    """The list is a table in the source, so that commands need not be imported: it must not point elsewhere."""
    context = click.Context(cli)
    for path in ALL:
        group: click.Command = cli
        for name in path:
            assert isinstance(group, click.Group)
            if isinstance(group, Lazy):
                assert group.table[name][1].endswith(".")
            command = group.get_command(context, name)
            assert command is not None
            assert command.name == name
            group = command


def test_command_without_arguments_shows_the_commands(zoo: Zoo) -> None:
    done = zoo()
    assert "compare" in done.out + done.err
    assert "Traceback" not in done.err


def test_version_is_the_packages(zoo: Zoo) -> None:
    done = zoo("--version")
    assert (done.code, done.out) == (0, f"mlpzoo, version {mlpzoo.__version__}\n")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom mlpzoo.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'ase', 'scipy', 'torch', 'rich', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=harness.environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


# -- errors ------------------------------------------------------------------------------------------

CELLS = ("-b", "toy-cells", "-s", "toy-cu")


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("compare", "-m", "toi", *CELLS), "unknown model family 'toi'", "'toy'"),
        (("compare", "-m", "toy/goood", *CELLS), "family 'toy' has no model 'goood'", "'toy/good'"),
        (("compare", "-m", "toy/good,/x", *CELLS), "'/x' is not a model name", "FAMILY/CARD"),
        (("compare", "-m", "toy/x*", *CELLS), "no model matches 'toy/x*'", "mlpzoo models"),
        (("compare", "-m", ",", *CELLS), "no model named", "--models"),
        (("compare", "-m", "toy:none.model", *CELLS), "none.model: no such file", "PATH"),
        (("compare", "-m", "toy", "-b", "re-force"), "unknown benchmark 're-force'", "'re-forces'"),
        (("compare", "-m", "toy", "-s", "toy-cx"), "system 'toy-cx'", "toy"),
        (
            ("compare", "-m", "toy", "-s", "liu2023-si-vacancy"),
            "cannot run yet",
            "mlpzoo data fetch liu2023-si-vacancy",
        ),
        (("compare", "-m", "toy", *CELLS, "--against", "PBE"), "'PBE'", "--against"),
        (("benchmarks", "re-force"), "unknown benchmark 're-force'", "'re-forces'"),
        (("systems", "nonsense"), "no system or case 'nonsense'", "mlpzoo systems"),
        (("models", "toy/goood"), "family 'toy' has no model 'goood'", "'toy/good'"),
        (("check", "toi"), "unknown model family 'toi'", "'toy'"),
        (("check",), "no model named", "mlpzoo check"),
        (("env", "create", "toi"), "unknown model family 'toi'", "'toy'"),
        (("env", "create", "toy"), "family 'toy' needs no environment", "mlpzoo check toy"),
        (("env", "lock", "toi"), "unknown model family 'toi'", "'toy'"),
        (("env", "remove"), "nothing to remove", "--unused"),
        (("env", "remove", "mace"), "no environment of mace", "mlpzoo env list"),
        (("data", "fetch", "nonsense"), "nonsense", "mlpzoo data list"),
        (("data", "verify", "nonsense"), "nonsense", "mlpzoo data list"),
        (
            ("data", "verify", "liu2023-si-vacancy"),
            "liu2023-si-vacancy",
            "mlpzoo data fetch liu2023-si-vacancy",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_error_is_two_lines_with_the_next_step_and_exit_code_2(
    zoo: Zoo, arguments: tuple[str, ...], error: str, hint: str
) -> None:
    done = zoo(*arguments)
    assert done.code == 2
    assert done.out in ("", f"{arguments[-1]}\n"), "check has said which model it tests"
    first, second = done.err.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert second.startswith("hint: ")
    assert hint in second


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("compar",), "Did you mean 'compare'?"),
        (("data", "fetsh"), "Did you mean 'fetch'?"),
        (("compare",), "--models"),
        (("compare", "-m", "toy", "--profile", "large"), "'smoke'"),
        (("compare", "-m", "toy", "--modles", "x"), "--modles"),
        (("compare", "-m", "toy", "--jobs", "0"), "--jobs"),
        (("compare", "-m", "toy", "--timeout", "0"), "--timeout"),
        (("compare", "-m", "toy", "--output", "."), "directory"),
        (("completion", "tcsh"), "'zsh'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_names_the_option_and_exits_with_2(
    zoo: Zoo, arguments: tuple[str, ...], text: str
) -> None:
    done = zoo(*arguments)
    assert done.code == 2
    assert done.out == ""
    error, hint = done.err.splitlines()
    assert error.startswith("error: ")
    assert text in error
    assert hint.startswith("hint: see 'mlpzoo")
    assert hint.endswith("--help'")


def test_mirror_that_does_not_exist_is_an_error_that_names_it(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "no-mirror"))
    done = zoo("data", "fetch", "liu2023-si-vacancy")
    assert done.code == 2
    error, hint = done.err.splitlines()
    assert error.startswith("error: ")
    assert "no-mirror" in error
    assert "MLPZOO_MIRROR" in hint
    assert not (tmp_path / "home" / "data" / "liu2023-si-vacancy").exists()


def test_debug_shows_the_traceback_wherever_it_is_written(tmp_path: Path) -> None:
    done = harness.mlpzoo("models", "toi", "--debug", home=tmp_path)
    assert done.returncode != 0
    assert done.stderr.startswith("Traceback")
    assert "UsageError: unknown model family 'toi'" in done.stderr


def test_ctrl_c_exits_with_130_and_says_what_is_kept(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mlpzoo.registry.default_registry", interrupted)
    done = zoo("compare", "-m", "toy", *CELLS)
    assert done.code == 130
    assert done.err.strip() == "interrupted; finished tasks are kept, the same command goes on"


@pytest.mark.parametrize(
    "arguments",
    [("models",), ("--help",), ("compare", "-m", "emt", "-b", "toy-cells", "-s", "toy-cu", "--dry-run")],
    ids=" ".join,
)
def test_reader_that_went_away_is_no_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """As in ``mlpzoo models | head -1``, when head is faster."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            harness.command(*arguments),
            env=harness.environment(tmp_path), stdout=write, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(write)
    assert done.stderr == ""
    assert done.returncode != 0


# -- completion --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(zoo: Zoo, shell: str) -> None:
    done = zoo("completion", shell)
    assert done.code == 0
    assert f"_MLPZOO_COMPLETE={shell}_complete" in done.out
    assert "mlpzoo" in done.out


@pytest.fixture
def complete(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], set[str]]:
    """``complete("compare --models to")``: what bash offers for the last word."""

    def offered(line: str) -> set[str]:
        words = ["mlpzoo", *line.split(" ")]
        monkeypatch.setenv("_MLPZOO_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        done = zoo()
        assert done.err == ""
        return {text.partition(",")[2] for text in done.out.splitlines() if text}

    return offered


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("com", {"compare", "completion"}),
        ("compare --models toy/s", {"toy/segfault", "toy/sys-exit"}),
        ("compare -m em", {"emt", "emt/emt"}),
        ("compare --models toy/good,toy/ch", {"toy/good,toy/chatty", "toy/good,toy/child"}),
        ("compare -m emt -b t", {"toy-cells"}),
        ("compare -m emt -s toy-", {"toy-cu", "toy-al", "toy-si"}),
        ("compare --fo", {"--format"}),
        ("benchmarks toy-", {"toy-cells"}),
        ("systems toy-c", {"toy-cu"}),
        ("models toy/go", {"toy/good"}),
        ("check toy/go", {"toy/good"}),
        ("env create to", {"toy"}),
        ("data f", {"fetch"}),
        ("compare -m no-such", set()),
    ],
)
def test_names_are_completed(complete: Callable[[str], set[str]], line: str, wanted: set[str]) -> None:
    assert complete(line) == wanted


def test_broken_registry_does_not_write_to_the_prompt(
    complete: Callable[[str], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("a plugin of a stranger")

    monkeypatch.setattr("mlpzoo.registry.default_registry", broken)
    assert complete("compare --models to") == set()


@pytest.mark.parametrize("arguments", [("compare", "-m", "toy"), ("env", "list")])
def test_home_that_cannot_be_made_is_an_error_of_two_lines(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path / "file"))
    done = zoo(*arguments)
    assert done.code == 2
    error, hint = done.err.splitlines()
    assert "cannot be made" in error
    assert "MLPZOO_HOME" in hint


def test_directory_that_cannot_be_written_to_is_an_error_of_two_lines(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").touch()  # where the directory of results should be
    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path))
    done = zoo("compare", "-m", "toy/good", "-b", "toy-cells", "-s", "toy-cu")
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
