"""One worker process: what it sees, how it starts, how it ends, and what it says when it cannot."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zoo_harness as harness

import mlpzoo
from mlpzoo import wire, worker_boot
from mlpzoo.api import launch_for
from mlpzoo.benchmark import RunSettings
from mlpzoo.errors import WorkerError
from mlpzoo.models import ModelSpec
from mlpzoo.registry import Registry
from mlpzoo.workers import Worker, launch_in, places

LENT = ("numpy", "scipy", "ase", "msgspec", "pluggy")
"""What an environment's lock file always holds."""

ANY_REQUEST = wire.Open(plugin_module="", family="none", model=ModelSpec(name="none/none"))


@pytest.fixture(scope="module")
def probe() -> Registry:
    """Built-ins and the plugin that looks around."""
    return harness.registry_of("zoo_probe")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds ASE and what it needs, and nothing else of this one."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    library = next(home.glob("lib/python*/site-packages"))
    for name in LENT:
        for entry in _files_of(name):
            target = library / entry.name
            if not target.exists():
                target.symlink_to(entry)
    return home / "bin" / "python"


def _files_of(distribution: str) -> set[Path]:
    """Top-level entries in site-packages that belong to a distribution."""
    found = importlib.metadata.distribution(distribution)
    tops = {Path(str(file)).parts[0] for file in found.files or ()}
    return {Path(str(found.locate_file(top))) for top in tops if top not in ("..", "__pycache__")}


def look(registry: Registry, model: str = "probe/look", **params: str) -> wire.RunTask:
    """A task that looks around."""
    case = registry.cases(registry.benchmark("probe-look").item)[0]
    case = replace(case, params={**case.params, **params})
    return wire.RunTask(
        plugin_module="zoo_probe",
        family="probe",
        model=registry.resolve(model),
        benchmark_module="zoo_probe",
        benchmark="probe-look",
        case=case,
        settings=RunSettings(),
    )


@pytest.fixture(scope="module")
def worker(probe: Registry) -> Iterator[Worker]:
    """A worker of this Python."""
    with Worker(launch_for(probe, "probe", more_modules=("zoo_probe",)), "probe") as running:
        yield running


def test_worker_of_this_python_sees_all_that_its_parent_sees(probe: Registry, worker: Worker) -> None:
    report = worker.ask(look(probe), timeout_s=harness.PATIENCE_S)
    seen = {name for name, visible in report.values.items() if visible}
    assert seen == {"zoo_probe", "mlpzoo", "ase", "rich", "click", "pytest"}


def test_unknown_family_is_answered_with_the_remote_traceback(probe: Registry, worker: Worker) -> None:
    request = wire.Open(plugin_module="zoo_probe", family="prob", model=probe.resolve("probe/look"))
    with pytest.raises(WorkerError, match="unknown model family 'prob'") as caught:
        worker.ask(request, timeout_s=harness.PATIENCE_S)
    assert "did you mean 'probe'" in caught.value.hint
    assert "UsageError" in caught.value.remote_traceback
    assert "worker.py" in caught.value.remote_traceback
    assert worker.alive, "an answered error is no reason to end"


def test_time_limit_ends_the_worker_and_what_it_started(
    probe: Registry, worker: Worker, tmp_path: Path
) -> None:
    note = tmp_path / "child.pid"
    request = look(probe, "probe/parent", note=str(note))
    with pytest.raises(WorkerError, match="no answer within the time limit of 6 s") as caught:
        worker.ask(request, timeout_s=6.0)
    assert "--timeout" in caught.value.hint
    assert caught.value.stderr_tail == "waiting for the child"
    assert not worker.alive
    assert not harness.is_running(worker.pid)
    assert not harness.is_running(int(note.read_text()))


def test_worker_of_an_environment_sees_only_mlpzoo_and_the_plugin_of_its_parent(
    probe: Registry, environment: Path
) -> None:
    modules = {"zoo_probe": sys.modules["zoo_probe"]}
    with Worker(launch_in(environment, modules), "probe") as worker:
        report = worker.ask(look(probe), timeout_s=harness.PATIENCE_S)
    assert report.status == "ok", report.message
    seen = {name for name, visible in report.values.items() if visible}
    assert seen == {"zoo_probe", "mlpzoo", "ase"}
    assert Path(report.message) == environment.parents[1]


def test_environment_in_which_mlpzoo_cannot_be_imported_says_why(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    worker = Worker(launch_in(tmp_path / "bare" / "bin" / "python", {}), "bare")
    with pytest.raises(WorkerError) as caught:
        worker.ask(ANY_REQUEST, timeout_s=harness.PATIENCE_S)
    assert caught.value.message.startswith("the worker could not start: ModuleNotFoundError: No module named")
    assert "worker_boot.py" in caught.value.remote_traceback
    assert "from mlpzoo import worker" in caught.value.remote_traceback
    assert not worker.alive


def test_interpreter_that_does_not_exist_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="python"):
        Worker(launch_in(tmp_path / "removed" / "python", {}), "removed")


def test_interpreter_that_cannot_start_shows_what_it_said(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text(
        "#!/bin/sh\necho 'libpython3.11.so.1.0: cannot open shared object file' >&2\nexit 127\n"
    )
    broken.chmod(0o755)
    worker = Worker(launch_in(broken, {}), "broken")
    with pytest.raises(WorkerError, match="exit code 127") as caught:
        worker.ask(ANY_REQUEST, timeout_s=harness.PATIENCE_S)
    assert "cannot open shared object file" in caught.value.stderr_tail


def test_worker_in_c_code_that_never_returns_ends_with_its_parent(tmp_path: Path) -> None:
    """A framework in Fortran or C may hold the interpreter's lock for hours: no thread of ours runs then."""
    script = (
        "import sys, zoo_harness as h\n"
        "from mlpzoo.store import Store\n"
        "registry = h.registry_of('zoo_probe')\n"
        "from mlpzoo.runner import run\n"
        "work = h.planned(registry, Store(), 'probe/busy', benchmarks=('probe-look',), systems=('probe',))\n"
        "for event in run(work, registry=registry):\n"
        "    print(event.text, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=harness.environment(tmp_path), stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "busy":
                break
        (worker,) = harness.children_of(process.pid)
        idle = harness.cpu_seconds(worker)
        harness.wait_until(lambda: harness.cpu_seconds(worker) > idle + 0.3, "it computes")
        process.kill()
    try:
        harness.wait_until(lambda: not harness.is_running(worker), "the worker is gone", patience_s=10.0)
    finally:
        if harness.is_running(worker):
            os.kill(worker, signal.SIGKILL)


def test_borrowed_modules_are_found_by_name_and_nothing_beside_them_is(tmp_path: Path) -> None:
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "__init__.py").write_text("")
    (tmp_path / "beside.py").write_text("")
    finder = worker_boot.Borrowed({"lent": str(tmp_path)})
    spec = finder.find_spec("lent")
    assert spec is not None
    assert spec.submodule_search_locations == [str(tmp_path / "lent")]
    assert finder.find_spec("beside") is None
    assert finder.find_spec("lent.part") is None


def test_places_of_a_package_and_of_a_single_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").write_text("")
    (tmp_path / "a_package" / "inner.py").write_text("")
    (tmp_path / "a_file.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    inner, single = importlib.import_module("a_package.inner"), importlib.import_module("a_file")
    found = places({"a_package.inner": inner, "a_file": single, "mlpzoo.backends": mlpzoo})
    assert found == {
        "mlpzoo": str(harness.ROOT), "a_package": str(tmp_path), "a_file": str(tmp_path)
    }  # fmt: skip
