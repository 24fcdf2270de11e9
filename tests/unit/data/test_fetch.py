"""Fetching: all or nothing, checked, from a mirror or a server, by several processes at once."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlpzoo.data import fetch as fetching
from mlpzoo.data.archive import read_zip
from mlpzoo.data.dataset import load_dataset
from mlpzoo.data.fetch import PUBLIC, fetch, names_of
from mlpzoo.data.location import cache_root, embedded_root
from mlpzoo.data.registry import available
from mlpzoo.data.sources import MIRROR_VARIABLE
from mlpzoo.errors import DataError

from .conftest import MakePublic, liu_folder

DATA = Path("mirror") / "owner" / "repo" / ("c" * 40) / "Some Folder" / "DATA.json"


def left_over(home: Path) -> list[str]:
    """What lies where fetched sets go."""
    root = home / "data"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def test_a_fetched_set_is_a_valid_data_set(make_public: MakePublic, home: Path) -> None:
    make_public(liu_folder())
    path = fetch("fake-si")
    assert path == home / "data" / "fake-si" == cache_root() / "fake-si"
    dataset = load_dataset(path)
    assert (dataset.spec.name, len(dataset)) == ("fake-si", 3)
    assert left_over(home) == ["fake-si"]


def test_the_second_call_says_that_it_is_there_and_touches_nothing(
    make_public: MakePublic, tmp_path: Path
) -> None:
    make_public(liu_folder())
    path = fetch("fake-si")
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    (tmp_path / DATA).unlink()  # the source is not needed any more
    said: list[str] = []
    assert fetch("fake-si", said.append) == path
    assert said == [f"fake-si: already there, {path}"]
    assert {file.name: file.stat().st_mtime_ns for file in path.iterdir()} == before


@pytest.mark.parametrize("damage", ["frames", "missing", "manifest", "older"])
def test_a_damaged_or_outdated_set_is_fetched_again(make_public: MakePublic, home: Path, damage: str) -> None:
    make_public(liu_folder())
    path = fetch("fake-si")
    good = {file.name: file.read_bytes() for file in path.iterdir()}
    frames, manifest = path / "frames.extxyz", path / "dataset.toml"
    if damage == "frames":
        frames.write_bytes(good[frames.name].replace(b"Si 0", b"Si 1", 1))
    elif damage == "missing":
        frames.unlink()
    elif damage == "manifest":
        manifest.write_text("nonsense", "utf-8")
    else:
        text = good[manifest.name].decode()
        manifest.write_text(text.replace("converter = 1", "converter = 0"), "utf-8")
    said: list[str] = []
    fetch("fake-si", said.append)
    assert "fetching it again" in said[0]
    assert {file.name: file.read_bytes() for file in path.iterdir()} == good
    assert left_over(home) == ["fake-si"]


def test_another_checksum_is_refused_and_leaves_nothing(
    make_public: MakePublic, home: Path, tmp_path: Path
) -> None:
    public = make_public(liu_folder())
    (tmp_path / DATA).write_bytes(b"{}")
    with pytest.raises(DataError) as caught:
        fetch("fake-si")
    for part in (DATA.as_posix().replace(" ", "%20"), public.files[0].sha256):
        assert part in caught.value.message
    assert hashlib.sha256(b"{}").hexdigest() in caught.value.message
    assert "mlpzoo data fetch fake-si" in caught.value.hint
    assert left_over(home) == []


def test_a_failed_repair_keeps_the_damaged_set_out_of_use_but_in_place(
    make_public: MakePublic, home: Path, tmp_path: Path
) -> None:
    make_public(liu_folder())
    frames = fetch("fake-si") / "frames.extxyz"
    frames.write_bytes(b"")
    (tmp_path / DATA).unlink()
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch("fake-si")
    assert left_over(home) == ["fake-si"]
    with pytest.raises(DataError, match="sha256"):
        load_dataset(frames.parent)


def test_a_missing_file_names_url_and_next_command(
    make_public: MakePublic, home: Path, tmp_path: Path
) -> None:
    make_public(liu_folder())
    (tmp_path / DATA).unlink()
    with pytest.raises(DataError, match=r"file://.*DATA\.json: cannot be fetched") as caught:
        fetch("fake-si")
    assert MIRROR_VARIABLE in caught.value.hint
    assert "mlpzoo data fetch fake-si" in caught.value.hint
    assert left_over(home) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"DATA.json": b"not json"}, "not as expected"),
        ({"DATA.json": b'{"Forces": {}}'}, "KeyError"),
        ({"structure_poscars.zip": b"not a zip"}, "not a readable zip"),
    ],
)
def test_content_that_makes_no_sense_leaves_nothing(
    make_public: MakePublic, home: Path, content: dict[str, bytes], message: str
) -> None:
    make_public({**liu_folder(), **content})
    with pytest.raises(DataError, match=message):
        fetch("fake-si")
    assert left_over(home) == []


def test_an_interruption_leaves_nothing(
    make_public: MakePublic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_public(liu_folder())

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mlpzoo.data.writer.frames_to_text", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch("fake-si")
    assert left_over(home) == []


def test_a_full_disk_is_reported_with_the_next_command(
    make_public: MakePublic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_public(liu_folder())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlpzoo.data.writer._write", full)
    with pytest.raises(DataError, match="No space left") as caught:
        fetch("fake-si")
    assert "mlpzoo data fetch fake-si" in caught.value.hint
    assert left_over(home) == []


# --- where from ---


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Nothing: a client that hangs up is what one test is about."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An HTTP server over the mirror; gives its URL."""
    (tmp_path / "mirror").mkdir(exist_ok=True)
    handler = functools.partial(_Quiet, directory=str(tmp_path / "mirror"))
    with _QuietServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def test_fetching_over_http(make_public: MakePublic, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_public(liu_folder())
    monkeypatch.setenv(MIRROR_VARIABLE, f"{server}/")
    assert len(load_dataset(fetch("fake-si"))) == 3


def test_an_http_error_names_the_url(
    make_public: MakePublic, server: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    make_public(liu_folder())
    monkeypatch.setenv(MIRROR_VARIABLE, f"{server}/elsewhere")
    with pytest.raises(DataError, match=rf"{server}/elsewhere/owner/repo/.*404"):
        fetch("fake-si")
    assert left_over(home) == []


def test_a_server_that_sends_too_much_is_cut_off(
    make_public: MakePublic, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    make_public(liu_folder())
    (tmp_path / DATA).write_bytes(b" " * 5_000_000)
    monkeypatch.setenv(MIRROR_VARIABLE, server)
    with pytest.raises(DataError, match="sent more than"):
        fetch("fake-si")
    assert left_over(home) == []


def test_no_network_names_the_url(
    make_public: MakePublic, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    make_public(liu_folder())
    monkeypatch.setenv(MIRROR_VARIABLE, "http://127.0.0.1:9")  # the discard port: nobody listens
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/owner.*cannot be fetched") as caught:
        fetch("fake-si")
    assert MIRROR_VARIABLE in caught.value.hint
    assert left_over(home) == []


def test_file_urls_and_directories_are_the_same(
    make_public: MakePublic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = make_public(liu_folder())
    by_directory = public.url(public.files[0])
    monkeypatch.setenv(MIRROR_VARIABLE, (tmp_path / "mirror").as_uri())
    assert public.url(public.files[0]) == by_directory
    assert fetch("fake-si").is_dir()


def test_without_a_mirror_files_come_from_the_pinned_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    for public in PUBLIC:
        for file in public.files:
            url = public.url(file)
            base = f"https://raw.githubusercontent.com/{public.repository}/{public.commit}/"
            assert url == base + file.path
            assert len(public.commit) == 40
            assert len(file.sha256) == 64


# --- several at once ---

_RACER = """
import json, sys, time
from mlpzoo.data import fetch as f, liu2023
from mlpzoo.data.sources import PublicFile, PublicSet
raw = json.loads(sys.argv[1])
files = tuple(PublicFile(**file) for file in raw.pop("files"))
f.PUBLIC = (PublicSet(**{**raw, "elements": ("Si",), "files": files, "convert": liu2023.convert}),)
import ase.io, numpy, msgspec
print("ready", flush=True)
sys.stdin.readline()
print(f.fetch("fake-si"))
"""


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_that_fetch_at_once_do_not_collide(
    make_public: MakePublic, home: Path, *, damaged: bool
) -> None:
    public = make_public(liu_folder())
    if damaged:
        (fetch("fake-si") / "frames.extxyz").write_bytes(b"")
    raw = {name: getattr(public, name) for name in public.__slots__ if name != "convert"}
    raw["files"] = [{k: getattr(f, k) for k in f.__slots__} for f in public.files]
    command = [sys.executable, "-c", _RACER, json.dumps(raw)]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    results = [racer.communicate(timeout=60) for racer in racers]
    assert results == [(f"{home / 'data' / 'fake-si'}\n", "")] * 2
    assert len(load_dataset(home / "data" / "fake-si")) == 3
    assert left_over(home) == ["fake-si"]


def test_whoever_comes_second_takes_what_the_first_made(
    make_public: MakePublic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race, played by hand: the set appears between the look and the rename."""
    make_public(liu_folder())
    convert = fetching.PUBLIC[0].convert
    calls = []

    def slow(*arguments: object) -> object:
        calls.append(time.monotonic())
        if len(calls) == 1:
            fetch("fake-si")  # the other process
        return convert(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(type(fetching.PUBLIC[0]), "convert", property(lambda _: slow))
    assert fetch("fake-si").is_dir()
    assert len(calls) == 2
    assert left_over(home) == ["fake-si"]


# --- archives ---


def archive(tmp_path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members:
            out.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../up", "leads out"),
        ("a/../../up", "leads out"),
        ("/etc/absolute", "leads out"),
        ("C:/windows", "leads out"),
        ("a\\..\\b", "leads out"),
        (link("innocent"), "is a link"),
    ],
)
def test_an_unsafe_member_is_refused(tmp_path: Path, name: str | zipfile.ZipInfo, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_zip(archive(tmp_path, ("fine", b"1"), (name, b"2")))


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    path = archive(tmp_path, ("bomb", b"\0" * 2_000_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="more than 1000000 bytes"):
        read_zip(path, max_member_bytes=1_000_000)
    with pytest.raises(DataError, match="more than 1500000 bytes"):
        read_zip(path, max_total_bytes=1_500_000)


def test_a_bomb_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = archive(tmp_path, ("bomb", b"\0" * 50_000_000))
    tracemalloc.start()
    with pytest.raises(DataError, match="more than 1000000 bytes"):
        read_zip(path, max_member_bytes=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_limits_count_all_members(tmp_path: Path) -> None:
    path = archive(tmp_path, *((f"m{i}", b"x" * 100) for i in range(5)))
    assert len(read_zip(path, max_members=5, max_total_bytes=500)) == 5
    with pytest.raises(DataError, match="5 members, more than 4"):
        read_zip(path, max_members=4)
    with pytest.raises(DataError, match="'m4' unpacks to more than 99"):
        read_zip(path, max_total_bytes=499)


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path, ("a", b"1"), ("a", b"2"))
    with pytest.raises(DataError, match="twice"):
        read_zip(path)


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, ("a", bytes(range(256)) * 8))
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="not a readable zip"):
        read_zip(path)


def test_an_unsafe_archive_in_a_set_leaves_nothing(make_public: MakePublic, home: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        out.writestr("../0.POSCAR.vasp", "x")
    make_public({**liu_folder(), "structure_poscars.zip": stream.getvalue()})
    with pytest.raises(DataError, match="unsafe zip archive"):
        fetch("fake-si")
    assert left_over(home) == []


# --- names and lists ---


def test_a_prefix_stands_for_all_its_sets() -> None:
    assert names_of("mlearn-si") == ("mlearn-si",)
    assert set(names_of("liu2023-si")) >= {"liu2023-si-vacancy", "liu2023-si-interstitial"}
    assert names_of("liu2023-si-vacancy") == ("liu2023-si-vacancy",)


def test_an_unknown_name_gets_the_nearest(home: Path) -> None:
    for function in (fetch, names_of):
        with pytest.raises(DataError, match="no public data set 'mlearn-sj'") as caught:
            function("mlearn-sj")
        assert "did you mean 'mlearn-si'" in caught.value.hint


def test_the_list_says_what_is_fetched(make_public: MakePublic, home: Path) -> None:
    public = make_public(liu_folder())
    (before,) = (spec for spec in available() if spec.origin == "public")
    assert (before.name, before.n_frames, before.directory) == ("fake-si", 3, None)
    assert before.size_bytes == public.size_bytes
    assert before.fetch is not None
    before.fetch()
    (after,) = (spec for spec in available() if spec.origin == "public")
    assert after.directory == home / "data" / "fake-si"
    assert len(after.load()) == 3


def test_one_bad_set_does_not_hide_the_others(
    make_public: MakePublic, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_public(liu_folder())
    good = fetch("fake-si")
    root = tmp_path / "embedded"
    (root / "si").mkdir(parents=True)
    good.rename(root / "si" / "good")
    (root / "si" / "bad").mkdir()
    (root / "si" / "bad" / "dataset.toml").write_text("schema = 1", "utf-8")
    (root / "si" / ".good.tmp-1").mkdir()
    (root / "si" / ".good.tmp-1" / "dataset.toml").write_text("", "utf-8")
    monkeypatch.setattr("mlpzoo.data.registry.embedded_root", lambda: root)
    embedded = [spec for spec in available() if spec.origin == "embedded"]
    assert [(spec.name, bool(spec.problem)) for spec in embedded] == [
        ("fake-si", False),
        ("si-bad", True),
    ]
    with pytest.raises(DataError, match="schema is 1") as caught:
        embedded[1].load()
    assert "mlpzoo data verify" in caught.value.hint
    assert home.is_dir()


def test_embedded_data_lie_beside_the_package_or_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "mlpzoo"
    package.mkdir(parents=True)
    monkeypatch.setattr("mlpzoo.__path__", [str(package)])
    with pytest.raises(DataError, match="missing from"):
        embedded_root()
    (tmp_path / "site" / "benchmarks_data").mkdir()
    assert embedded_root() == tmp_path / "site" / "benchmarks_data"
    (package / "_benchmarks_data").mkdir()
    assert embedded_root() == package / "_benchmarks_data"


# --- the commands ---


def test_the_commands_fetch_list_and_verify(make_public: MakePublic, home: Path) -> None:
    from click.testing import CliRunner

    from mlpzoo.cli.data import data
    from mlpzoo.registry import default_registry

    make_public(liu_folder())

    def run(*arguments: str) -> str:
        default_registry.cache_clear()  # each command is a process of its own
        result = CliRunner().invoke(data, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    try:
        _try_commands(run, home)
    finally:
        default_registry.cache_clear()


def _try_commands(run: Callable[..., str], home: Path) -> None:
    assert "not fetched: mlpzoo data fetch fake-si" in run("list")
    with pytest.raises(DataError, match="not on this machine"):
        run("verify", "fake-si")
    assert f"fake-si: ready, {home / 'data' / 'fake-si'}" in run("fetch", "fake")
    assert f"already there, {home / 'data' / 'fake-si'}" in run("fetch", "fake-si")
    assert str(home / "data" / "fake-si") in run("list")
    summary = run("verify", "fake-si")
    assert summary == run("verify", str(home / "data" / "fake-si"))
    assert "RE atoms   2 in 2 frames" in summary
    assert "3 of 16 to 16 atoms, 48 atoms" in summary
    assert "component RMSE to K4 0.250 eV/Å" in summary  # the fake's K2 is K4 + 0.25 everywhere
    with pytest.raises(DataError, match="neither a data set nor a directory"):
        run("verify", "nowhere")
