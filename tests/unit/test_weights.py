"""Weights that do not come with a plugin: fetched once, checked always, never half."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlpzoo.errors import ModelError
from mlpzoo.models import Checkpoint, ModelCard
from mlpzoo.weights import at_hand, fetch_weights, place_of, weights_of

CONTENT = b"weights " * 300_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/org/repo/releases/download/v1/some%20model.v2.model"


def card(sha256: str = "", url: str = URL) -> ModelCard:
    return ModelCard(
        name="heavy/mp-0", family="heavy", elements=("Si",), properties=("energy",),
        checkpoint=Checkpoint(sha256=sha256, size_bytes=len(CONTENT), url=url),
    )  # fmt: skip


@pytest.fixture
def mirror(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, laid out as its host does."""
    del home
    path = tmp_path / "mirror" / "org" / "repo" / "releases" / "download" / "v1" / "some model.v2.model"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "mirror"))
    return path


@pytest.mark.parametrize("sha256", ["", SHA256])
def test_fetched_once_it_is_at_hand_and_needs_its_source_no_more(
    mirror: Path, home: Path, tmp_path: Path, sha256: str
) -> None:
    assert not at_hand(card(sha256), tmp_path)
    path = fetch_weights(card(sha256))
    assert path == home / "weights" / "heavy" / "mp-0.model"
    mirror.unlink()
    assert fetch_weights(card(sha256)) == path
    assert at_hand(card(sha256), tmp_path)
    assert weights_of(card(sha256), tmp_path) == path
    assert sorted(p.name for p in path.parent.iterdir()) == ["mp-0.model", "mp-0.model.sha256"]


@pytest.mark.parametrize("sha256", ["", SHA256])
@pytest.mark.usefixtures("mirror")
def test_a_file_that_changes_afterwards_is_refused(tmp_path: Path, sha256: str) -> None:
    path = fetch_weights(card(sha256))
    path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ModelError, match="was altered") as caught:
        weights_of(card(sha256), tmp_path)
    assert SHA256 in caught.value.message
    assert "mlpzoo fetch heavy/mp-0" in caught.value.hint


@pytest.mark.usefixtures("home")
def test_a_file_that_was_copied_there_is_recorded_at_its_first_use(tmp_path: Path) -> None:
    path = place_of(card())
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert weights_of(card(), tmp_path) == path
    path.write_bytes(b"other")
    with pytest.raises(ModelError, match="at its first use it was"):
        weights_of(card(), tmp_path)


@pytest.mark.usefixtures("home")
def test_before_it_is_fetched_the_error_says_both_ways_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"heavy/mp-0 \(2 MB\) are not on this machine") as caught:
        weights_of(card(), tmp_path)
    for word in ("mlpzoo fetch heavy/mp-0", URL, str(place_of(card()))):
        assert word in caught.value.hint


def test_another_file_than_the_cards_is_not_kept(mirror: Path) -> None:
    mirror.write_bytes(b"an error page")
    with pytest.raises(ModelError, match="the card says"):
        fetch_weights(card(SHA256))
    assert list(place_of(card()).parent.iterdir()) == []


def test_without_a_source_the_error_says_where_to_put_the_file(mirror: Path) -> None:
    mirror.unlink()
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        fetch_weights(card())
    assert str(place_of(card())) in caught.value.hint
    assert list(place_of(card()).parent.iterdir()) == []


@pytest.mark.usefixtures("home")
def test_weights_of_a_plugin_are_not_fetched() -> None:
    own = ModelCard(
        name="a/b", family="a", elements=(), properties=("energy",), checkpoint=Checkpoint(file="b.model")
    )
    with pytest.raises(ModelError, match="no weights to fetch"):
        fetch_weights(own)


FILES = ("model.json", "state.pt")


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of two files, laid out as its host does."""
    del home
    path = tmp_path / "mirror" / "org" / "net" / "resolve" / "main"
    path.mkdir(parents=True)
    for name in FILES:
        (path / name).write_text(name)
    monkeypatch.setenv("MLPZOO_MIRROR", str(tmp_path / "mirror"))
    return path


def of_two_files() -> ModelCard:
    return ModelCard(
        name="heavy/net", family="heavy", elements=(), properties=("energy",),
        checkpoint=Checkpoint(url="https://example.org/org/net/resolve/main", files=FILES),
    )  # fmt: skip


def test_files_that_belong_together_are_fetched_into_a_folder(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    del folder
    assert not at_hand(of_two_files(), tmp_path)
    path = fetch_weights(of_two_files())
    assert path == home / "weights" / "heavy" / "net"
    assert {p.name: p.read_text() for p in path.iterdir()} == {name: name for name in FILES}
    assert at_hand(of_two_files(), tmp_path)
    assert fetch_weights(of_two_files()) == weights_of(of_two_files(), tmp_path) == path
    assert sorted(p.name for p in path.parent.iterdir()) == ["net", "net.sha256"]
    (path / "state.pt").write_text("other")
    with pytest.raises(ModelError, match="was altered"):
        weights_of(of_two_files(), tmp_path)


def test_of_several_files_all_or_none_are_kept(folder: Path, tmp_path: Path) -> None:
    (folder / "state.pt").unlink()
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        fetch_weights(of_two_files())
    place = place_of(of_two_files())
    assert list(place.parent.iterdir()) == []
    assert "get model.json, state.pt of https://" in caught.value.hint
    assert f"copy them into {place}" in caught.value.hint
    place.mkdir()
    (place / "model.json").write_text("copied by hand")
    with pytest.raises(ModelError, match="are not on this machine"):
        weights_of(of_two_files(), tmp_path)


class Server(BaseHTTPRequestHandler):
    """Sends the file, or half of it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if "whole" in self.path else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.mark.usefixtures("home")
def test_progress_counts_the_bytes_of_a_download(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLPZOO_MIRROR", raising=False)
    told: list[tuple[int, int]] = []
    path = fetch_weights(card(url=f"{server}/whole.model"), lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len(told) > 2
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.usefixtures("home")
def test_a_download_that_breaks_off_leaves_nothing(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLPZOO_MIRROR", raising=False)
    broken = card(url=f"{server}/half.model")
    with pytest.raises(ModelError, match=r"cannot be fetched|bytes"):
        fetch_weights(broken)
    assert list(place_of(broken).parent.iterdir()) == []
