"""The site's pip settings reach uv as pip would read them, and never over uv's own."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest
import uv as uv_package

from mlpzoo.site_settings import pip_settings, translated, uv_config_keys, uv_environment
from mlpzoo.uvtool import uv

PROBE = "mlpzoo-probe"
"""An option that no machine's real configuration sets: ``/etc/pip.conf`` is read too."""


class Machine:
    """A home, a system and a site directory of our own.

    Args:
        path: Where they are.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {"HOME": str(path / "home"), "XDG_CONFIG_DIRS": f"{path / 'xdg1'}:{path / 'xdg2'}"}
        self.files = {
            "first shared": path / "xdg1" / "pip" / "pip.conf",
            "second shared": path / "xdg2" / "pip" / "pip.conf",
            "legacy user": path / "home" / ".pip" / "pip.conf",
            "user": path / "home" / ".config" / "pip" / "pip.conf",
            "site": path / "prefix" / "pip.conf",
            "named": path / "named.conf",
        }

    def write(self, file: str, text: str) -> None:
        self.files[file].parent.mkdir(parents=True, exist_ok=True)
        self.files[file].write_text(text, encoding="utf-8")
        if file == "named":
            self.environ["PIP_CONFIG_FILE"] = str(self.files["named"])

    def probe(self) -> str | None:
        """The value that the made-up option has."""
        return pip_settings(self.environ).get(PROBE)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    return Machine(tmp_path)


# -- where pip's settings are, and which wins -----------------------------------------------------------

ORDER = ["first shared", "second shared", "legacy user", "user", "site"]


@pytest.mark.parametrize("file", [*ORDER, "named"])
def test_each_of_pips_files_is_read(machine: Machine, file: str):
    machine.write(file, f"[global]\n{PROBE} = here\n")
    assert machine.probe() == "here"


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(ORDER)))
def test_a_later_file_wins(machine: Machine, lower: str, higher: str):
    machine.write(higher, f"[global]\n{PROBE} = {higher}\n")
    machine.write(lower, f"[global]\n{PROBE} = {lower}\nother-probe = {lower}\n")
    assert machine.probe() == higher
    assert pip_settings(machine.environ)["other-probe"] == lower


@pytest.mark.parametrize("file", ["second shared", "site"])
def test_pip_config_file_wins_over_the_systems_and_the_sites(machine: Machine, file: str):
    machine.write(file, f"[global]\n{PROBE} = {file}\n")
    machine.write("named", f"[global]\n{PROBE} = named\n")
    assert machine.probe() == "named"


@pytest.mark.parametrize("file", ["legacy user", "user"])
def test_an_existing_pip_config_file_replaces_the_users_files(machine: Machine, file: str):
    """As in pip: ``should_load_user_config`` of pip/_internal/configuration.py."""
    machine.write(file, f"[global]\n{PROBE} = mine\n")
    machine.write("named", "[global]\nother-probe = 1\n")
    assert machine.probe() is None


def test_a_missing_pip_config_file_replaces_nothing(machine: Machine):
    machine.write("user", f"[global]\n{PROBE} = mine\n")
    machine.environ["PIP_CONFIG_FILE"] = str(machine.path / "nowhere.conf")
    assert machine.probe() == "mine"


@pytest.mark.parametrize("file", [*ORDER, "named"])
def test_a_variable_wins_over_every_file(machine: Machine, file: str):
    machine.write(file, f"[global]\n{PROBE} = file\n[install]\n{PROBE} = file\n")
    machine.environ["PIP_MLPZOO_PROBE"] = "variable"
    assert machine.probe() == "variable"


def test_an_empty_variable_counts_as_unset(machine: Machine):
    machine.write("user", f"[global]\n{PROBE} = file\n")
    machine.environ["PIP_MLPZOO_PROBE"] = ""
    assert machine.probe() == "file"


def test_the_null_device_as_config_file_switches_all_files_off(machine: Machine):
    for file in ORDER:
        machine.write(file, f"[global]\n{PROBE} = {file}\nindex-url = https://file/simple\n")
    machine.environ["PIP_CONFIG_FILE"] = os.devnull
    assert pip_settings(machine.environ) == {}
    machine.environ["PIP_INDEX_URL"] = "https://variable/simple"
    assert pip_settings(machine.environ) == {"index-url": "https://variable/simple"}


def test_xdg_config_home_replaces_the_default(machine: Machine):
    machine.write("user", f"[global]\n{PROBE} = default\n")
    elsewhere = machine.path / "elsewhere" / "pip" / "pip.conf"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text(f"[global]\n{PROBE} = elsewhere\n")
    machine.environ["XDG_CONFIG_HOME"] = str(machine.path / "elsewhere")
    assert machine.probe() == "elsewhere"


# -- what is in a file ----------------------------------------------------------------------------------


def test_the_install_section_wins_over_the_global_one(machine: Machine):
    machine.write("user", f"[install]\n{PROBE} = install\n[global]\n{PROBE} = global\n")
    assert machine.probe() == "install"


def test_install_sections_win_over_global_sections_of_any_file(machine: Machine):
    """As in pip: all [global] first, then all [install] (pip/_internal/cli/parser.py)."""
    machine.write("second shared", f"[install]\n{PROBE} = install\n")
    machine.write("site", f"[global]\n{PROBE} = global\n")
    assert machine.probe() == "install"


def test_other_commands_sections_do_not_count(machine: Machine):
    machine.write("user", f"[download]\n{PROBE} = download\n[list]\n{PROBE} = list\n")
    assert machine.probe() is None


def test_an_empty_value_sets_nothing(machine: Machine):
    machine.write("user", f"[global]\n{PROBE} = global\n[install]\n{PROBE} =\n")
    assert machine.probe() == "global"


def test_underscores_and_case_do_not_matter(machine: Machine):
    machine.write("user", "[global]\nMlpzoo_Probe = here\n")
    assert machine.probe() == "here"


def test_percent_signs_are_kept(machine: Machine):
    machine.write("user", f"[global]\n{PROBE} = https://me:p%40ss@host/simple\n")
    assert machine.probe() == "https://me:p%40ss@host/simple"


@pytest.mark.parametrize(
    "text", ["no section = 1\n", "[global\n", "[global]\nnothing\n", "[global]\na = 1\na = 2\n"]
)
def test_an_unreadable_file_does_not_stop_the_others(machine: Machine, text: str):
    machine.write("second shared", text)
    machine.write("user", f"[global]\n{PROBE} = here\n")
    assert machine.probe() == "here"


def test_a_file_that_is_no_text_does_not_stop_the_others(machine: Machine):
    machine.write("second shared", "")
    machine.files["second shared"].write_bytes(b"[global]\nx = \xff\n")
    machine.write("user", f"[global]\n{PROBE} = here\n")
    assert machine.probe() == "here"


def test_several_lines_are_several_values(machine: Machine):
    machine.write("named", "[global]\nfind-links =\n    /wheels/one\n    https://host/two\n")
    assert translated(pip_settings(machine.environ), {})["UV_FIND_LINKS"] == "/wheels/one,https://host/two"


# -- translation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "variable", "passed"),
    [
        ("index-url", "https://host/simple", "UV_DEFAULT_INDEX", "https://host/simple"),
        (
            "extra-index-url",
            "https://a/simple\nhttps://b/simple",
            "UV_INDEX",
            "https://a/simple https://b/simple",
        ),
        ("find-links", "/one /two", "UV_FIND_LINKS", "/one,/two"),
        ("cert", "/etc/ca.pem", "SSL_CERT_FILE", "/etc/ca.pem"),
        ("client-cert", "/etc/me.pem", "SSL_CLIENT_CERT", "/etc/me.pem"),
        ("trusted-host", "one two:8080", "UV_INSECURE_HOST", "one two:8080"),
        ("proxy", "http://proxy:3128", "HTTPS_PROXY", "http://proxy:3128"),
        ("timeout", "60", "UV_HTTP_TIMEOUT", "60"),
        ("default-timeout", "90", "UV_HTTP_TIMEOUT", "90"),
    ],
)
def test_each_setting_reaches_uv_from_file_and_variable(
    machine: Machine, option: str, value: str, variable: str, passed: str
):
    machine.write("named", f"[global]\n{option} = " + value.replace("\n", "\n    ") + "\n")
    assert translated(pip_settings(machine.environ), {})[variable] == passed
    environ = {
        "PIP_CONFIG_FILE": os.devnull,
        f"PIP_{option.upper().replace('-', '_')}": value,
        "HOME": "/nowhere",
    }
    environ["UV_NO_CONFIG"] = "1"
    assert uv_environment(environ)[variable] == passed


@pytest.mark.parametrize(
    ("option", "variable"),
    [
        ("index-url", "UV_DEFAULT_INDEX"),
        ("index-url", "UV_INDEX_URL"),
        ("extra-index-url", "UV_INDEX"),
        ("extra-index-url", "UV_EXTRA_INDEX_URL"),
        ("find-links", "UV_FIND_LINKS"),
        ("cert", "SSL_CERT_FILE"),
        ("client-cert", "SSL_CLIENT_CERT"),
        ("trusted-host", "UV_INSECURE_HOST"),
        ("proxy", "HTTPS_PROXY"),
        ("proxy", "https_proxy"),
        ("proxy", "ALL_PROXY"),
        ("timeout", "UV_HTTP_TIMEOUT"),
        ("default-timeout", "UV_HTTP_TIMEOUT"),
    ],
)
def test_uvs_own_variable_wins(option: str, variable: str):
    environ = {"PIP_CONFIG_FILE": os.devnull, "HOME": "/nowhere", "UV_NO_CONFIG": "1"}
    pip = {f"PIP_{option.upper().replace('-', '_')}": "1"}
    before = uv_environment(environ | pip | {variable: "own"})
    assert before == environ | pip | {variable: "own"}
    assert uv_environment(environ | pip) != environ | pip


def test_an_empty_variable_of_uvs_counts_as_unset():
    assert translated({"index-url": "https://a"}, {"UV_DEFAULT_INDEX": ""}) == {
        "UV_DEFAULT_INDEX": "https://a"
    }


def test_settings_that_uv_does_not_need_are_left_out():
    assert translated({"progress-bar": "off", "user": "true", "target": "/x"}, {}) == {}


def test_no_settings_change_nothing():
    environ = {"PIP_CONFIG_FILE": os.devnull, "HOME": "/nowhere", "PATH": "/bin"}
    assert uv_environment(environ) == environ


def test_the_given_environment_is_not_altered():
    environ = {"PIP_CONFIG_FILE": os.devnull, "HOME": "/nowhere", "PIP_INDEX_URL": "https://a"}
    before = dict(environ)
    uv_environment(environ)
    assert environ == before


class Recorder:
    """A program in uv's place that writes down its arguments.

    Args:
        directory: Where its files are.
    """

    def __init__(self, directory: Path) -> None:
        self.log = directory / "arguments"
        self.program = directory / "uv"
        self.program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{self.log}'\n")
        self.program.chmod(0o755)

    def arguments(self, *arguments: str) -> list[str]:
        """What uv is started with when mlpzoo asks for this."""
        uv(*arguments)
        return self.log.read_text().splitlines()


@pytest.fixture
def recorder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder(tmp_path)
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(uv_package, "find_uv_bin", lambda: str(found.program))
    return found


@pytest.mark.parametrize("value", ["1", "true", "True", "yes", "on", "y", "t", "ON"])
def test_no_index_is_read_as_pip_reads_it(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, value: str):
    """uv knows an option for it, and no variable."""
    monkeypatch.setenv("PIP_NO_INDEX", value)
    for command in (["pip", "install", "x"], ["pip", "compile", "x"]):
        found = recorder.arguments(*command)
        assert "--no-index" in found
        assert [a for a in found if a in command] == command


@pytest.mark.parametrize("value", ["0", "false", "no", "off", "n", "f", ""])
def test_no_index_can_be_off(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("PIP_NO_INDEX", value)
    assert "--no-index" not in recorder.arguments("pip", "install", "x")


def test_no_index_is_for_installing_only(recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "--no-index" not in recorder.arguments("cache", "clean", "x")


def test_what_uv_toml_says_of_the_index_wins(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "config" / "uv").mkdir(parents=True)
    (tmp_path / "config" / "uv" / "uv.toml").write_text("no-index = false\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "--no-index" not in recorder.arguments("pip", "install", "x")


def test_one_timeout_of_two_is_passed_on():
    assert translated({"timeout": "60", "default-timeout": "90"}, {}) == {"UV_HTTP_TIMEOUT": "60"}


def test_a_relative_wheel_directory_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Relative to the user's directory, as for pip: uv runs in another one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    found = translated({"find-links": "./wheels ~/more https://host/x file:///y", "cert": "ca.pem"}, {})
    assert found["UV_FIND_LINKS"] == f"{tmp_path}/wheels,{tmp_path}/me/more,https://host/x,file:///y"
    assert found["SSL_CERT_FILE"] == f"{tmp_path}/ca.pem"


# -- several indexes -------------------------------------------------------------------------------------


def test_extra_indexes_are_searched_together_as_pip_does():
    found = translated({"extra-index-url": "https://a"}, {})
    assert found == {"UV_INDEX": "https://a", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    assert "UV_INDEX_STRATEGY" not in translated({"index-url": "https://a"}, {})


def test_the_sites_index_strategy_is_kept():
    pip = {"extra-index-url": "https://a"}
    assert translated(pip, {"UV_INDEX_STRATEGY": "first-index"}) == {"UV_INDEX": "https://a"}
    assert translated(pip, {}, frozenset({"index-strategy"})) == {"UV_INDEX": "https://a"}


# -- uv.toml ---------------------------------------------------------------------------------------------


def uv_toml(machine: Machine, text: str, *where: str) -> None:
    file = machine.path.joinpath(*(where or ("home", ".config", "uv", "uv.toml")))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


ALL = {
    "index-url": "https://pip",
    "extra-index-url": "https://more",
    "find-links": "/pip",
    "trusted-host": "pip",
}


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ('index-url = "https://uv"', {"UV_DEFAULT_INDEX"}),
        ('extra-index-url = ["https://uv"]', {"UV_INDEX", "UV_INDEX_STRATEGY"}),
        ('[[index]]\nurl = "https://uv"', {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_STRATEGY"}),
        ('find-links = ["/uv"]', {"UV_FIND_LINKS"}),
        ('[pip]\nfind-links = ["/uv"]', {"UV_FIND_LINKS"}),
        ('allow-insecure-host = ["uv"]', {"UV_INSECURE_HOST"}),
        ('index-strategy = "first-index"', {"UV_INDEX_STRATEGY"}),
        ('# index-url = "https://uv"', set()),
        ("offline = true", set()),
    ],
)
def test_what_uv_toml_sets_is_not_set_again(machine: Machine, text: str, left_out: set[str]):
    uv_toml(machine, text + "\n")
    found = translated(ALL, {}, uv_config_keys(machine.environ))
    assert set(translated(ALL, {})) - set(found) == left_out


def test_a_named_uv_toml_replaces_the_others(machine: Machine):
    uv_toml(machine, 'find-links = ["/uv"]\n')
    uv_toml(machine, "no-index = true\n", "named.toml")
    machine.environ["UV_CONFIG_FILE"] = str(machine.path / "named.toml")
    assert uv_config_keys(machine.environ) == {"no-index"}


def test_uvs_system_file_is_found_in_xdg_config_dirs(machine: Machine):
    uv_toml(machine, 'find-links = ["/uv"]\n', "xdg2", "uv", "uv.toml")
    assert "find-links" in uv_config_keys(machine.environ)


def test_uv_toml_does_not_count_when_uv_does_not_read_it(machine: Machine):
    uv_toml(machine, 'find-links = ["/uv"]\n')
    assert "find-links" in uv_config_keys(machine.environ)
    machine.environ["UV_NO_CONFIG"] = "1"
    assert uv_config_keys(machine.environ) == frozenset()
