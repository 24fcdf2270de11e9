"""Discovery is cheap, and no plugin can break it for the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mlpzoo
from mlpzoo import plugins
from mlpzoo.plugins import Plugin

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
ROOT = Path(mlpzoo.__file__).resolve().parents[1]
GOOD = """
    @hookimpl
    def mlpzoo_register_backends():
        return [Family("good", "one")]
"""
Make = Callable[..., ModuleType]


def load(*modules: ModuleType | str) -> list[Plugin]:
    """The given modules as plugins, without the built-ins."""
    return list(plugins.load(modules, entry_points=False))[len(plugins.BUILTINS) :]


def installed() -> dict[str, Plugin]:
    """Plugins found by their entry points."""
    return {p.name: p for p in plugins.load()[len(plugins.BUILTINS) :]}


def only_problem(found: Plugin) -> str:
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


# -- good ones -----------------------------------------------------------------------------------------


def test_builtin_plugins_come_through_the_same_hooks():
    found = plugins.load(entry_points=False)
    registered = {kind: [] for kind in plugins.HOOKS}
    for one in found:
        assert one.name.startswith("builtin:")
        assert not one.problems
        assert one.version == mlpzoo.__version__
        for kind, items in one.registered.items():
            registered[kind] += items
    assert {"emt", "lj"} <= {b.family for b in registered["backend"]}
    assert "re-forces" in {b.name for b in registered["benchmark"]}
    assert registered["dataset"]


def test_a_plugin_registers_all_three_kinds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(FIXTURES)
    (found,) = load("zoo_toys")
    assert not found.problems
    assert [b.family for b in found.registered["backend"]] == ["toy"]
    assert [b.name for b in found.registered["benchmark"]] == ["toy-cells"]
    assert len(found.registered["dataset"]) == 1
    assert found.directory == FIXTURES


def test_hooks_may_return_tuples_and_generators(plugin: Make):
    (found,) = load(
        plugin("""
        @hookimpl
        def mlpzoo_register_backends():
            yield Family("first", "one")
            yield Family("second", "one")
        @hookimpl
        def mlpzoo_register_benchmarks():
            return (benchmark("b"),)
        """)
    )
    assert not found.problems
    assert [b.family for b in found.registered["backend"]] == ["first", "second"]
    assert [b.name for b in found.registered["benchmark"]] == ["b"]


def test_a_hook_may_have_nothing_to_register(plugin: Make):
    (found,) = load(plugin("@hookimpl\ndef mlpzoo_register_backends():\n    return []\n"))
    assert found.problems == []
    assert found.registered == {}


def test_plugins_are_listed_in_a_stable_order(site: Any):
    for name in ("zeta", "alpha", "mid"):
        site.install(
            f"zoo-{name}", f"@hookimpl\ndef mlpzoo_register_backends():\n    return [Family('{name}')]"
        )
    names = [n for n in installed() if n.startswith("zoo-")]
    assert names == ["zoo-alpha", "zoo-mid", "zoo-zeta"]


# -- broken ones ---------------------------------------------------------------------------------------

BROKEN_AT_IMPORT = {
    "an exception": ("raise ValueError('a bad default')", ["ValueError", "a bad default"]),
    "a missing package": ("import no_such_framework", ["no_such_framework"]),
    "a syntax error": ("def broken(:", ["SyntaxError"]),
    "sys.exit": ("import sys; sys.exit('I give up')", ["SystemExit", "I give up"]),
    "an exception without text": ("raise RuntimeError", ["RuntimeError"]),
}


@pytest.mark.parametrize("case", BROKEN_AT_IMPORT)
def test_a_plugin_that_fails_at_import_is_recorded_and_the_others_survive(site: Any, case: str):
    body, words = BROKEN_AT_IMPORT[case]
    site.install("zoo-broken", body)
    site.install("zoo-good", GOOD)
    found = installed()
    problem = only_problem(found["zoo-broken"])
    assert problem.startswith("could not be loaded: ")
    assert all(word in problem for word in words), problem
    assert found["zoo-broken"].module is None
    assert not found["zoo-good"].problems
    assert [b.family for b in found["zoo-good"].registered["backend"]] == ["good"]


def test_an_exception_at_import_names_the_file_and_the_line(site: Any):
    file = site.install("zoo-broken", "raise ValueError('a bad default')")
    line = file.read_text().splitlines().index("raise ValueError('a bad default')") + 1
    assert f"(zoo_broken.py:{line})" in only_problem(installed()["zoo-broken"])


def test_an_entry_point_that_names_no_installed_module_is_recorded(site: Any):
    site.distribution("zoo-gone", "[mlpzoo]\ngone = zoo_gone\n")
    site.install("zoo-good", GOOD)
    found = installed()
    assert "zoo_gone" in only_problem(found["gone"])
    assert not found["zoo-good"].problems


def test_an_entry_point_that_names_no_module_is_recorded(site: Any):
    """A hyphen for an underscore: the likeliest typo in a plugin's pyproject.toml."""
    site.distribution("zoo-typo", "[mlpzoo]\ntypo = zoo-typo\n")
    site.install("zoo-good", GOOD)
    found = installed()
    assert "zoo-typo" in only_problem(found["typo"])
    assert not found["zoo-good"].problems


def test_an_entry_point_that_names_an_object_is_refused(site: Any):
    """A worker loads the module by its name and would not find what the object registers."""
    site.distribution("zoo-object", "[mlpzoo]\nobject = zoo_object:plugin\n")
    site.module("zoo_object", "class Plugin:\n    pass\nplugin = Plugin()\n")
    assert "module" in only_problem(installed()["object"])


def test_an_unreadable_entry_points_file_does_not_hide_the_other_plugins(site: Any):
    site.distribution("zoo-garbage", "[mlpzoo]\nthis line is no entry point\n")
    site.install("zoo-good", GOOD)
    assert not installed()["zoo-good"].problems


def test_a_distribution_without_metadata_has_no_version(site: Any):
    site.distribution("zoo-half", "[mlpzoo]\nhalf = zoo_half\n", metadata=False)
    site.module("zoo_half", GOOD)
    found = installed()["half"]
    assert found.version == ""
    assert found.source == "half"
    assert [b.family for b in found.registered["backend"]] == ["good"]


def test_a_plugin_is_named_with_its_version_in_messages(site: Any):
    site.install("zoo-good", GOOD, version="2.5.1")
    assert installed()["zoo-good"].source == "zoo-good 2.5.1"


# -- broken hooks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stated", ["\n    MLPZOO_API = 1", ""])
def test_a_plugin_for_this_api_is_taken(plugin: Make, stated: str):
    (found,) = load(plugin(stated + GOOD))
    assert not found.problems
    assert [b.family for b in found.registered["backend"]] == ["good"]


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        ("2", "pip install --upgrade mlpzoo"),
        ("0", "pip install --upgrade mlpzoo-"),
        ("'1'", "write the whole number 1"),
        ("True", "write the whole number 1"),
    ],
)
def test_a_plugin_for_another_api_is_reported_with_what_to_do_and_not_asked(
    plugin: Make, version: str, advice: str
):
    (found,) = load(plugin(f"\n    MLPZOO_API = {version}" + GOOD))
    assert version in only_problem(found)
    assert advice in only_problem(found)
    assert not found.registered


@pytest.mark.parametrize(
    "failure", ["raise ValueError('no such table')", "import sys; sys.exit('no such table')"]
)
def test_a_hook_that_raises_does_not_stop_the_plugins_other_hooks(plugin: Make, failure: str):
    (found,) = load(
        plugin(f"""
        @hookimpl
        def mlpzoo_register_backends():
            {failure}
        @hookimpl
        def mlpzoo_register_benchmarks():
            return [benchmark("b")]
        """)
    )
    problem = only_problem(found)
    assert "mlpzoo_register_backends failed" in problem
    assert "no such table" in problem
    assert [b.name for b in found.registered["benchmark"]] == ["b"]
    assert "backend" not in found.registered


def test_a_generator_that_raises_on_its_way_registers_nothing(plugin: Make):
    (found,) = load(
        plugin("""
        @hookimpl
        def mlpzoo_register_backends():
            yield Family("first")
            raise RuntimeError("half way")
        """)
    )
    assert "half way" in only_problem(found)
    assert found.registered == {}


def test_a_misspelt_hook_is_reported_with_the_right_name(plugin: Make):
    (found,) = load(plugin("@hookimpl\ndef mlpzoo_register_backend():\n    return []\n"))
    problem = only_problem(found)
    assert "'mlpzoo_register_backend'" in problem
    assert "did you mean 'mlpzoo_register_backends'?" in problem


def test_a_misspelt_hook_does_not_stop_the_others(plugin: Make):
    (found,) = load(
        plugin("""
        @hookimpl
        def mlpzoo_register_dataset():
            return []
        @hookimpl
        def mlpzoo_register_backends():
            return [Family("good")]
        """)
    )
    assert "did you mean 'mlpzoo_register_datasets'?" in only_problem(found)
    assert [b.family for b in found.registered["backend"]] == ["good"]


def test_an_unmarked_hook_is_reported(plugin: Make):
    (found,) = load(plugin("def mlpzoo_register_backends():\n    return [Family('good')]\n"))
    problem = only_problem(found)
    assert "'mlpzoo_register_backends' is not marked with @mlpzoo.hookimpl" in problem
    assert found.registered == {}


def test_an_unmarked_and_misspelt_hook_is_reported_with_the_right_name(plugin: Make):
    (found,) = load(plugin("def mlpzoo_register_benchmark():\n    return []\n"))
    assert "did you mean 'mlpzoo_register_benchmarks'?" in only_problem(found)


def test_a_module_without_any_hook_is_reported_with_what_to_write(plugin: Make):
    (found,) = load(plugin("VERSION = 1\n"))
    problem = only_problem(found)
    assert "no hook" in problem
    assert all(hook in problem for hook in plugins.HOOKS.values())


@pytest.mark.parametrize("answer", ["7", "'a string'", "Family('x')"])
def test_a_hook_that_returns_no_iterable_is_reported(plugin: Make, answer: str):
    (found,) = load(plugin(f"@hookimpl\ndef mlpzoo_register_backends():\n    return {answer}\n"))
    problem = only_problem(found)
    assert "must return an iterable" in problem
    assert found.registered == {}


def test_a_hook_that_returns_nothing_is_reported(plugin: Make):
    """A forgotten ``return``: pluggy drops None without a word."""
    (found,) = load(plugin("@hookimpl\ndef mlpzoo_register_backends():\n    [Family('x')]\n"))
    problem = only_problem(found)
    assert "mlpzoo_register_backends" in problem
    assert "None" in problem


def test_a_hook_with_arguments_is_reported_with_its_arguments(plugin: Make):
    (found,) = load(plugin("@hookimpl\ndef mlpzoo_register_backends(catalogue):\n    return []\n"))
    problem = only_problem(found)
    assert "could not be registered" in problem
    assert "catalogue" in problem


def test_a_broken_plugin_given_by_name_does_not_stop_the_next(site: Any):
    site.module("zoo_first", "1 / 0")
    site.module("zoo_second", GOOD)
    first, second = load("zoo_first", "zoo_second")
    assert "ZeroDivisionError" in only_problem(first)
    assert not second.problems


# -- entry points, from another process ----------------------------------------------------------------


def listed(home: Path, *paths: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and rows of ``mlpzoo plugins --json`` with these directories on the import path."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MLPZOO_")}
    environ |= {"PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT))), "MLPZOO_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "mlpzoo", "plugins", "--json"],
        env=environ, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert not done.stderr
    rows = json.loads(done.stdout)
    assert len({r["plugin"] for r in rows}) == len(rows)
    return done.returncode, {r["plugin"]: r for r in rows}


def test_a_distribution_on_the_path_is_found_with_its_version(tmp_path: Path):
    code, rows = listed(tmp_path / "home", FIXTURES)
    assert code == 0
    assert rows["toys"]["version"] == "1.2"
    assert rows["toys"]["module"] == "zoo_toys"
    assert {"backend toy", "benchmark toy-cells"} <= set(rows["toys"]["registered"])
    assert rows["toys"]["problems"] == []


def test_the_same_distribution_twice_on_the_path_counts_once(tmp_path: Path, site: Any):
    """An editable install beside an ordinary one; as for imports, the first on the path counts."""
    site.install("zoo-good", GOOD, version="2.0")
    again = type(site)(tmp_path / "again")
    again.path.mkdir()
    again.install("zoo-good", GOOD, version="1.0")
    code, rows = listed(tmp_path / "home", site.path, again.path)
    assert code == 0
    assert rows["zoo-good"]["version"] == "2.0"
    assert rows["zoo-good"]["problems"] == []


def test_broken_plugins_are_listed_with_their_reasons_beside_good_ones(tmp_path: Path, site: Any):
    site.install("zoo-broken", "import no_such_framework")
    site.install("zoo-misspelt", "@hookimpl\ndef mlpzoo_register_backend():\n    return []\n")
    site.install("zoo-good", GOOD)
    code, rows = listed(tmp_path / "home", site.path)
    assert code == 1
    assert "no_such_framework" in rows["zoo-broken"]["problems"][0]
    assert "did you mean" in rows["zoo-misspelt"]["problems"][0]
    assert rows["zoo-good"]["registered"] == ["backend good"]
    assert rows["zoo-good"]["problems"] == []


# -- cost ----------------------------------------------------------------------------------------------

COMMANDS = ("--help", "models", "benchmarks", "plugins", "systems")


def test_listing_imports_nothing_heavy(python: Callable[..., Any]):
    heavy = python(
        f"""
        import contextlib, io, json, sys
        from mlpzoo.cli import main
        found = {{}}
        for command in {COMMANDS}:
            with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
                main([command])
            assert said.getvalue(), command
            found[command] = sorted(
                {{"ase", "numpy", "scipy", "torch", "matplotlib", "pooch", "requests"}} & set(sys.modules))
        print(json.dumps(found))
        """,
    )
    assert heavy == {command: [] for command in COMMANDS}


def test_importing_the_package_costs_next_to_nothing(python: Callable[..., Any]):
    loaded = python(
        "import json, sys; import mlpzoo; mlpzoo.hookimpl, mlpzoo.ModelCard\n"
        "print(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)))"
    )
    assert not {"ase", "numpy", "scipy", "torch", "rich", "click", "uv"} & set(loaded)


# -- the hash of a plugin's code -----------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package of two modules."""
    (tmp_path / "pack" / "deep").mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").write_text("A = 1\n")
    (tmp_path / "pack" / "deep" / "more.py").write_text("B = 1\n")
    (tmp_path / "pack" / "weights.bin").write_bytes(b"1")
    return tmp_path / "pack"


def sha(directory: Path) -> str:
    plugins.source_sha256.cache_clear()
    return plugins.source_sha256(directory)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a line": lambda p: (p / "__init__.py").write_text("A = 2\n"),
    "a line of a submodule": lambda p: (p / "deep" / "more.py").write_text("B = 2\n"),
    "a new module": lambda p: (p / "new.py").write_text(""),
    "a module less": lambda p: (p / "deep" / "more.py").unlink(),
    "a module's name": lambda p: (p / "deep" / "more.py").rename(p / "deep" / "other.py"),
    "a module's place": lambda p: (p / "deep" / "more.py").rename(p / "more.py"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_hash_of_the_source_changes_with(package: Path, change: str):
    before = sha(package)
    CHANGES[change](package)
    assert sha(package) != before


def test_the_hash_of_the_source_stays_when_only_data_changes(package: Path):
    before = sha(package)
    (package / "weights.bin").write_bytes(b"2")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"2")
    assert sha(package) == before


def test_the_hash_of_the_source_does_not_depend_on_where_it_lies(package: Path, tmp_path: Path):
    before = sha(package)
    assert sha(package.rename(tmp_path / "moved")) == before


def test_the_hash_of_a_single_file_plugin_covers_that_file_alone(site: Any):
    """Its directory is site-packages: hashing that would make every installation change every result."""
    file = site.module("zoo_single", GOOD)

    def current() -> str:
        plugins.source_sha256.cache_clear()
        sys.modules.pop("zoo_single", None)
        (found,) = load("zoo_single")
        return found.source_sha256

    before = current()
    site.module("unrelated", "X = 1\n")
    assert current() == before
    file.write_text(file.read_text() + "\nX = 1\n")
    assert current() != before


# -- plugins that depend on each other --------------------------------------------------------------------


def test_a_plugin_comes_with_those_that_its_distribution_depends_on():
    def one(name: str, *requires: str) -> Plugin:
        return Plugin(name=name, module_name=name, version="1", distribution=name, requires=requires)

    plugins_ = [
        one("a", "b", "numpy"), one("b", "c"), one("c", "a"), one("d"),
        Plugin(name="builtin:x", module_name="x", version=""),
    ]  # fmt: skip
    assert [p.name for p in plugins.with_required(plugins_[0], plugins_)] == ["a", "b", "c"]
    assert [p.name for p in plugins.with_required(plugins_[3], plugins_)] == ["d"]
    assert [p.name for p in plugins.with_required(plugins_[4], plugins_)] == ["builtin:x"]


def test_what_a_distribution_depends_on_is_read_from_its_metadata():
    allegro = installed()["allegro"]
    assert allegro.distribution == "mlpzoo-allegro"
    assert allegro.requires == ("mlpzoo", "mlpzoo-nequip")
