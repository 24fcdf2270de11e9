"""What a plan holds: every task with its key, its state and its place, before anything runs."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import zoo_harness as harness

from mlpzoo import planning, plugins
from mlpzoo.benchmark import RunSettings
from mlpzoo.data.spec import DatasetSpec
from mlpzoo.errors import ModelError, PluginError, UsageError
from mlpzoo.planning import plan
from mlpzoo.registry import Registry
from mlpzoo.results import Result
from mlpzoo.store import Store
from mlpzoo.tasks import Plan, Request, Task

CODE = """
from pathlib import Path
from mlpzoo import BenchmarkSpec, Case, DatasetSpec, ModelCard, Outcome, Quantity, hookimpl
from mlpzoo.benchmarks import re_forces

# {remark}
HERE = Path(__file__).parent

class Backend:
    family = "grown"
    requires = {requires}
    lock_file = {lock_file}
    def cards(self):
        return [ModelCard(name=f"grown/{{n}}", family="grown", elements=e, properties={properties}, title={title!r})
                for n, e in (("cu", ("Cu",)), ("si", ("Si",)))]
    def calculator(self, spec):
        raise RuntimeError("planning must not load models")
    def side_files(self, path):
        {side_files}

def run(*_):
    raise RuntimeError("planning must not run benchmarks")

@hookimpl
def mlpzoo_register_backends():
    return [Backend()]

@hookimpl
def mlpzoo_register_benchmarks():
    return [
        BenchmarkSpec(
            name="grown-cells", version={version}, title={title!r}, run=run, run_floor=run,
            quantities=(Quantity(name="e", unit="eV", title="E"),),
            cases=lambda _: [
                Case(name="grown-cu", system="grown", elements=("Cu",), title={title!r}, params={params},
                     floors={{"coarse": "coarse cells"}}),
                Case(name="grown-later", system="grown", elements=("Cu",),
                     unavailable="its data is not here yet: mlpzoo data fetch grown-later"),
            ],
        )
    ]

@hookimpl
def mlpzoo_register_datasets():
    return [DatasetSpec.from_directory({data!r})] if {data!r} else []
"""
KNOBS: dict[str, Any] = {
    "remark": "as it is",
    "requires": "()",
    "lock_file": "None",
    "properties": '("energy", "forces")',
    "title": "Grown",
    "version": 1,
    "params": "{'repeats': 2}",
    "data": "",
    "side_files": "return [p for p in [path.with_suffix('.points')] if p.exists()]",
}


@dataclass
class Garden:
    """A plugin that is written anew for each plan, and a store.

    Attributes:
        package: Directory of the plugin.
        store: Where results are looked up.
    """

    package: Path
    store: Store

    def registry(self, **knobs: Any) -> Registry:
        """A registry of the plugin as it would be in a new process."""
        self.package.mkdir(exist_ok=True)
        file = self.package / "__init__.py"
        file.write_text(CODE.format(**{**KNOBS, **knobs}), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(
            "grown_plugin", file, submodule_search_locations=[str(self.package)]
        )
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["grown_plugin"] = module
        exec(compile(file.read_text(), str(file), "exec"), module.__dict__)  # never a cached .pyc
        plugins.source_sha256.cache_clear()
        found = harness.registry_of(module)
        assert not found.plugins[-1].problems
        return found

    def plan(
        self, models: str = "grown/cu", *, knobs: Any = None, settings: Any = None, **options: Any
    ) -> Plan:
        """The plan of some models on ``grown-cu``."""
        options = {"benchmarks": ("grown-cells",), "systems": ("grown-cu",), **options}
        request = Request(models=tuple(models.split(",")), settings=RunSettings(**settings or {}), **options)
        return plan(request, self.registry(**knobs or {}), self.store)

    def task(self, *arguments: Any, **options: Any) -> Task:
        """The first task of a plan."""
        return self.plan(*arguments, **options).tasks[0]

    def key(self, *arguments: Any, **options: Any) -> str:
        """The key of the first task of a plan."""
        return self.task(*arguments, **options).key

    def floor(self, **options: Any) -> Task:
        """The reference row of a plan."""
        return self.plan(**options).tasks[-1]


@pytest.fixture
def garden(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Garden:
    """A plugin that can be changed, and an empty store."""
    del home
    monkeypatch.setitem(sys.modules, "grown_plugin", None)  # restored at the end
    return Garden(package=tmp_path / "grown_plugin", store=Store())


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A copy of a small data set."""
    return Path(shutil.copytree(harness.FIXTURES / "toy-cu", tmp_path / "data"))


# -- keys --------------------------------------------------------------------------------------------


def test_key_is_the_same_when_nothing_changes(garden: Garden) -> None:
    assert garden.key() == garden.key()


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"seed": 1}},
        {"settings": {"profile": "smoke"}},
        {"dtype": "float32"},
        {"device": "cuda:1"},
        {"knobs": {"version": 2}},
        {"knobs": {"remark": "the code is another"}},
        {"knobs": {"params": "{'repeats': 3}"}},
        {"knobs": {"properties": '("forces",)'}},
    ],
    ids=str,
)
def test_key_changes_with_what_can_change_the_number(garden: Garden, changes: dict[str, Any]) -> None:
    assert garden.key(**changes) != garden.key()


@pytest.mark.parametrize(
    "changes",
    [
        {"jobs": 4},
        {"threads": 3},
        {"timeout_s": 1.0},
        {"memory_limit_gb": 1.0},
        {"fresh": True},
        {"isolate": "never"},
        {"models": "grown/si,grown/cu"},
        {"systems": ("grown",)},
    ],
    ids=str,
)
def test_key_does_not_change_with_how_it_is_run_or_beside_what(
    garden: Garden, changes: dict[str, Any]
) -> None:
    keys = {task.title: task.key for task in garden.plan(**changes).tasks}
    assert keys["grown/cu"] == garden.key()


def test_key_does_not_depend_on_titles(garden: Garden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.Plugin, "source_sha256", "the same code")
    assert garden.key(knobs={"title": "Another"}) == garden.key()


def test_key_depends_on_a_cards_data_even_if_no_code_changes(
    garden: Garden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cards are kept in TOML files: a model that now declares energies gets more columns."""
    monkeypatch.setattr(plugins.Plugin, "source_sha256", "the same code")
    assert garden.key(knobs={"properties": '("forces",)'}) != garden.key()


def test_key_depends_on_every_file_of_the_plugins_package_and_on_no_other(garden: Garden) -> None:
    before = garden.key()
    (garden.package.parent / "neighbour.py").write_text("x = 1\n")
    assert garden.key() == before
    (garden.package / "formulas.py").write_text("x = 1\n")
    assert garden.key() != before


def test_key_depends_on_the_versions_of_what_runs_in_this_python(
    garden: Garden, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = garden.key()
    monkeypatch.setattr(planning, "framework_versions", lambda _: {"ase": "99.0"})
    assert garden.key() != before


def test_key_depends_on_the_content_of_the_users_weights(garden: Garden, tmp_path: Path) -> None:
    weights = tmp_path / "my.model"
    weights.write_bytes(b"one")
    first = garden.task(f"grown:{weights}")
    weights.write_bytes(b"two")
    second = garden.task(f"grown:{weights}")
    weights.write_bytes(b"one")
    assert first.key == garden.key(f"grown:{weights}")
    assert first.key != second.key
    assert first.provenance.weights_sha256 != second.provenance.weights_sha256


def test_key_depends_on_every_file_of_a_directory_of_weights(garden: Garden, tmp_path: Path) -> None:
    weights = tmp_path / "model"
    weights.mkdir()
    (weights / "a").write_bytes(b"one")
    before = garden.key(f"grown:{weights}")
    (weights / "b").write_bytes(b"two")
    assert garden.key(f"grown:{weights}") != before


def test_key_depends_on_the_further_files_that_the_users_weights_name(garden: Garden, tmp_path: Path) -> None:
    weights, points = tmp_path / "my.model", tmp_path / "my.points"
    weights.write_bytes(b"one")
    alone = garden.task(f"grown:{weights}")
    points.write_bytes(b"1")
    first = garden.task(f"grown:{weights}")
    points.write_bytes(b"2")
    second = garden.task(f"grown:{weights}")
    assert len({alone.key, first.key, second.key}) == 3
    assert first.provenance.weights_sha256 != second.provenance.weights_sha256
    points.write_bytes(b"1")
    assert garden.key(f"grown:{weights}") == first.key
    points.unlink()
    assert garden.key(f"grown:{weights}") == alone.key


def test_a_file_whose_further_files_cannot_be_told_is_planned_and_fails_when_it_is_loaded(
    garden: Garden, tmp_path: Path
) -> None:
    (tmp_path / "my.model").write_bytes(b"one")
    raises = "from mlpzoo.errors import ModelError; raise ModelError('no model', hint='x')"
    assert garden.task(f"grown:{tmp_path}/my.model", knobs={"side_files": raises}).state == "run"


def test_a_backend_that_fails_to_tell_further_files_is_named(garden: Garden, tmp_path: Path) -> None:
    (tmp_path / "my.model").write_bytes(b"one")
    with pytest.raises(PluginError, match="cannot be listed by 'grown': ZeroDivisionError"):
        garden.task(f"grown:{tmp_path}/my.model", knobs={"side_files": "return 1 / 0"})


def test_relative_and_absolute_path_of_weights_are_one_model(
    garden: Garden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.model").write_bytes(b"one")
    monkeypatch.chdir(tmp_path)
    both = garden.plan(f"grown:my.model,grown:{tmp_path}/my.model")
    assert [task.title for task in both.tasks] == [f"grown:{tmp_path}/my.model", "coarse cells"]


def on_data(garden: Garden, directory: Path) -> Task:
    """A task of ``re-forces`` on a data set."""
    return garden.task("emt", knobs={"data": str(directory)}, benchmarks=("re-forces",), systems=("toy-cu",))


def test_key_depends_on_the_data_and_not_on_where_it_lies(
    garden: Garden, dataset: Path, tmp_path: Path
) -> None:
    first = on_data(garden, dataset)
    moved = tmp_path / "elsewhere"
    shutil.copytree(dataset, moved)
    second = on_data(garden, moved)
    assert second.case.params != first.case.params
    assert second.key == first.key
    manifest = moved / "dataset.toml"
    manifest.write_text(manifest.read_text().replace('sha256 = "208c', 'sha256 = "308c'))
    third = on_data(garden, moved)
    assert third.key != first.key
    assert third.provenance.dataset_sha256 != first.provenance.dataset_sha256


def test_all_keys_of_a_plan_differ(garden: Garden, dataset: Path) -> None:
    work = garden.plan(
        "grown/cu,emt,lj",
        knobs={"data": str(dataset)},
        benchmarks=("grown-cells", "re-forces"),
        systems=("grown-cu", "toy"),
    )
    assert len({task.key for task in work.tasks}) == len(work.tasks) == 8


def test_reference_row_depends_on_the_case_and_not_on_models_device_or_precision(garden: Garden) -> None:
    floor = garden.floor()
    assert (floor.title, floor.model, floor.family) == ("coarse cells", None, "")
    assert garden.floor(models="emt", dtype="float32", device="cuda").key == floor.key
    assert garden.floor(settings={"seed": 1}).key != floor.key
    assert garden.floor(settings={"profile": "smoke"}).key != floor.key
    assert garden.floor(knobs={"version": 2}).key != floor.key


# -- states ------------------------------------------------------------------------------------------


def result(task: Task, status: str, message: str = "") -> Result:
    """A result as a run would store it."""
    values = {"e": 1.0} if status == "ok" else {}
    return replace(planning.result_of(task, "failed", message), status=status, values=values)  # type: ignore[arg-type]


def test_stored_result_is_found(garden: Garden) -> None:
    task = garden.task()
    assert (task.state, task.result) == ("run", None)
    garden.store.put(task.store_name, task.key, result(task, "ok"))
    again = garden.task()
    assert again.state == "cached"
    assert again.result == result(task, "ok")


def test_failed_result_is_tried_again_and_unsupported_is_not(garden: Garden) -> None:
    task = garden.task()
    garden.store.put(task.store_name, task.key, result(task, "failed", "died"))
    assert garden.task().state == "run"
    garden.store.put(task.store_name, task.key, result(task, "unsupported", "no forces"))
    assert garden.task().state == "cached"


def test_fresh_looks_at_no_stored_result(garden: Garden) -> None:
    task = garden.task()
    garden.store.put(task.store_name, task.key, result(task, "ok"))
    assert garden.task(fresh=True).state == "run"
    assert garden.task().state == "cached"


def test_result_of_other_settings_is_not_taken(garden: Garden) -> None:
    task = garden.task()
    garden.store.put(task.store_name, task.key, result(task, "ok"))
    assert garden.task(settings={"profile": "smoke"}).state == "run"
    assert garden.task(settings={"seed": 7}).state == "run"


def test_damaged_result_is_run_again(garden: Garden) -> None:
    task = garden.task()
    garden.store.put(task.store_name, task.key, result(task, "ok")).write_bytes(b"{half a resu")
    assert garden.task().state == "run"


def test_elements_that_a_model_does_not_know_are_unsupported_with_the_reason(garden: Garden) -> None:
    known, unknown, _ = garden.plan("grown/cu,grown/si").tasks
    assert known.state == "run"
    assert unknown.state == "unsupported"
    assert unknown.result is not None
    assert (unknown.result.status, unknown.result.message) == ("unsupported", "does not know Cu")
    assert unknown.result.values == {}


def test_case_whose_data_is_not_here_is_left_out_and_says_what_to_type(garden: Garden) -> None:
    work = garden.plan(systems=("grown",))
    assert {task.case.name for task in work.tasks} == {"grown-cu"}
    (left_out,) = work.unavailable
    assert left_out.name == "grown-later"
    assert left_out.unavailable.endswith("mlpzoo data fetch grown-later")


def test_plan_of_nothing_but_cases_that_are_not_here_is_an_error(garden: Garden) -> None:
    with pytest.raises(UsageError, match="'grown-later' cannot run yet") as caught:
        garden.plan(systems=("grown-later",))
    assert "mlpzoo data fetch grown-later" in caught.value.hint


def test_data_that_is_not_fetched_names_the_command() -> None:
    from mlpzoo.benchmarks import re_forces

    (case,) = re_forces.cases([DatasetSpec(name="far-away", kind="re-forces", system="x")])
    assert case.unavailable.endswith("mlpzoo data fetch far-away")


def test_planning_neither_loads_models_nor_runs_anything(garden: Garden) -> None:
    """Both would raise in this plugin."""
    assert [task.state for task in garden.plan("grown").tasks] == ["run", "run"]


# -- places ------------------------------------------------------------------------------------------

LOCK = "ase==3.26.0 \\\n    --hash=sha256:00\n"
NOT_HERE = "('no_such_framework',)"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file of an environment that is never made here."""
    file = tmp_path / "mlpzoo-grown" / "requirements.lock"
    file.parent.mkdir()
    file.write_text(LOCK)
    return file


@pytest.mark.parametrize(
    ("requires", "isolate", "place"),
    [
        ("('json',)", "auto", "this Python"),
        ("('json',)", "always", "environment grown"),
        ("('json',)", "never", "this process"),
        (NOT_HERE, "auto", "environment grown"),
        (NOT_HERE, "always", "environment grown"),
    ],
)
def test_place_of_a_task(garden: Garden, lock: Path, requires: str, isolate: str, place: str) -> None:
    knobs = {"requires": requires, "lock_file": f"Path({str(lock)!r})"}
    task = garden.task(knobs=knobs, isolate=isolate)
    assert task.place == place
    assert task.provenance.isolated is place.startswith("environment")
    assert bool(task.provenance.lock_sha256) is place.startswith("environment")


def test_family_without_a_lock_file_runs_in_this_python_even_if_always_isolated(garden: Garden) -> None:
    assert garden.task(isolate="always").place == "this Python"


def test_never_isolated_and_not_importable_is_an_error_with_a_hint(garden: Garden, lock: Path) -> None:
    knobs = {"requires": NOT_HERE, "lock_file": f"Path({str(lock)!r})"}
    with pytest.raises(UsageError, match="no_such_framework cannot be imported here") as caught:
        garden.plan(knobs=knobs, isolate="never")
    assert "--isolate never" in caught.value.hint


def test_key_in_an_environment_depends_on_its_lock_and_not_on_this_python(
    garden: Garden, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = {"requires": NOT_HERE, "lock_file": f"Path({str(lock)!r})"}
    before = garden.key(knobs=knobs)
    monkeypatch.setattr(planning, "framework_versions", lambda _: {"ase": "99.0"})
    assert garden.key(knobs=knobs) == before
    lock.write_text(LOCK.replace("3.26.0", "3.27.0"))
    assert garden.key(knobs=knobs) != before


def test_key_tells_an_environment_from_this_python(garden: Garden, lock: Path) -> None:
    knobs = {"requires": "('json',)", "lock_file": f"Path({str(lock)!r})"}
    assert garden.key(knobs=knobs) != garden.key(knobs=knobs, isolate="always")


# -- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"models": "grwon"}, "unknown model family 'grwon'", "'grown'"),
        ({"models": "grown/cuu"}, "family 'grown' has no model 'cuu'", "'grown/cu'"),
        ({"models": "grown/x*"}, "no model matches 'grown/x*'", "mlpzoo models"),
        ({"benchmarks": ("grown-cell",)}, "unknown benchmark 'grown-cell'", "'grown-cells'"),
        ({"systems": ("grwn",)}, "no benchmark has a case for system 'grwn'", "grown"),
    ],
    ids=str,
)
def test_unknown_name_stops_the_plan_and_names_near_ones(
    garden: Garden, options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        garden.plan(**options)
    assert caught.value.message == message
    assert hint in caught.value.hint


def test_unknown_system_beside_a_known_one_is_an_error_and_not_dropped(garden: Garden) -> None:
    with pytest.raises(UsageError, match="silicn"):
        garden.plan(systems=("grown-cu", "silicn"))


def test_weights_that_do_not_exist_are_an_error(garden: Garden, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        garden.plan(f"grown:{tmp_path}/none.model")


def test_globs_select_models_systems_and_cases(garden: Garden) -> None:
    work = garden.plan("grown/*", systems=("grown-c*",))
    assert [task.title for task in work.tasks] == ["grown/cu", "grown/si", "coarse cells"]


def test_all_local_is_every_model_that_knows_the_elements(garden: Garden) -> None:
    work = garden.plan("all-local")
    titles = [task.title for task in work.tasks]
    assert "grown/cu" in titles
    assert "emt/emt" in titles
    assert "grown/si" not in titles
    assert "tersoff/si" not in titles
    assert {task.state for task in work.tasks} == {"run"}


def test_a_model_that_is_named_has_its_row_beside_all_local(garden: Garden) -> None:
    work = garden.plan("all-local,grown/si")
    (row,) = (task for task in work.tasks if task.title == "grown/si")
    assert row.state == "unsupported"


def test_all_benchmarks_are_those_that_have_a_case_for_the_system(garden: Garden, dataset: Path) -> None:
    knobs = {"data": str(dataset)}
    work = garden.plan("emt", knobs=knobs, benchmarks=("all",), systems=("grown-cu", "toy"))
    assert [(t.benchmark.name, t.title) for t in work.tasks] == [
        ("grown-cells", "emt/emt"),
        ("grown-cells", "coarse cells"),
        ("re-forces", "emt/emt"),
        ("re-forces", "EMT with noise"),
    ]


def test_model_named_twice_is_planned_once(garden: Garden) -> None:
    work = garden.plan("grown/cu,grown,grown/c*")
    assert [task.title for task in work.tasks] == ["grown/cu", "coarse cells"]


def test_default_model_of_a_family_is_its_first_card(garden: Garden) -> None:
    assert garden.task("grown").title == "grown/cu"


def test_label_names_model_benchmark_and_case(garden: Garden) -> None:
    assert garden.task().label == "grown/cu · grown-cells · grown-cu"


def test_key_depends_on_the_python_and_the_torch_build_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same lock in another Python, or with torch for CUDA, may round differently."""
    from mlpzoo.registry import default_registry

    monkeypatch.setenv("MLPZOO_HOME", str(tmp_path))
    registry = default_registry()
    keys = set()
    for name, value in (("MLPZOO_TORCH", "auto"), ("MLPZOO_TORCH", "cu128"), ("MLPZOO_PYTHON", "3.12")):
        monkeypatch.setenv(name, value)
        work = plan(Request(models=("mace",), isolate="always"), registry, Store(tmp_path / "results"))
        keys |= {t.key for t in work.tasks if t.model is not None and t.case.name == "si-vacancy"}
    assert len(keys) == 3
