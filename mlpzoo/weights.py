"""The weights of a card: in its plugin, or fetched once into mlpzoo's home; checked before each use."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from mlpzoo import paths
from mlpzoo.data.sources import local_path, mirror
from mlpzoo.errors import ModelError, PluginError
from mlpzoo.hashing import file_sha256
from mlpzoo.models import Backend, ModelCard, ModelSpec

_TIMEOUT_S: Final = 60
_CHUNK: Final = 1 << 20

Progress = Callable[[int, int], None]
"""``progress(bytes so far, bytes in all or 0)``."""


def at_hand(card: ModelCard, directory: Path) -> bool:
    """Whether a card needs no weights, or they are on this machine; they are not looked at.

    Args:
        card: Of a plugin.
        directory: Of the plugin's module.
    """
    said = card.checkpoint
    if said is None or said.package:
        return True
    return (directory / said.file).is_file() if said.file else _is_there(card)


def weights_of(card: ModelCard, directory: Path) -> Path:
    """The weights of a card, verified: a file, or the folder of its files.

    Raises:
        ModelError: They are missing, were altered, or were not fetched yet.
    """
    said = card.checkpoint
    if said is None or not (said.file or said.url):
        raise ModelError(f"{card.name} names no weights", hint="the plugin's card needs a file or a url")
    path = directory / said.file if said.file else place_of(card)
    if said.file:
        return _verified(card.name, path, said.sha256, hint="reinstall the plugin")
    if not _is_there(card):
        size = f" ({said.size_bytes / 1e6:.0f} MB)" if said.size_bytes else ""
        raise ModelError(
            f"the weights of {card.name}{size} are not on this machine",
            hint=f"mlpzoo fetch {card.name}; without network, {_by_hand(card)}",
        )
    whose = "the card says" if said.sha256 else "at its first use it was"
    hint = f"delete it, then: mlpzoo fetch {card.name}"
    return _verified(card.name, path, said.sha256 or _recorded(path), hint=hint, whose=whose)


def own_or_in_package(spec: ModelSpec, hint: str) -> Path:
    """The file that the user named, or that of a card whose weights a package of the framework brings.

    To be called where the framework is importable.

    Raises:
        ModelError: There is none, with this hint; or as for `weights_in_package`.
    """
    if spec.path is not None:
        path = Path(spec.path)
    elif spec.card is not None:
        path = weights_in_package(spec.card)
    else:
        raise ModelError(f"{spec.name}: no file", hint=hint)
    if not path.is_file():
        raise ModelError(f"{path}: no such file", hint=hint)
    return path


def side_files(backend: Backend, path: Path) -> tuple[Path, ...]:
    """Further files that a weights file names, if its backend can tell; what cannot be read names none.

    Raises:
        PluginError: The backend's `side_files` fails otherwise.
    """
    told = getattr(backend, "side_files", None)
    if told is None:
        return ()
    try:
        return tuple(Path(file) for file in told(path))
    except ModelError:
        return ()  # whoever makes the calculator says so
    except Exception as error:
        raise PluginError(
            f"side files of {path} cannot be listed by '{backend.family}': {type(error).__name__}: {error}",
            hint="see 'mlpzoo plugins'",
        ) from error


def weights_in_package(card: ModelCard) -> Path:
    """The weights file that a package of the framework brings, verified.

    To be called where the framework is importable; it is not imported.

    Raises:
        ModelError: The package is not there, or its file is missing or not the one of the card.
    """
    said = card.checkpoint
    if said is None or not said.package:
        raise ModelError(f"{card.name} names no package that brings its weights", hint="correct its card")
    found = importlib.util.find_spec(said.package)
    if found is None or not found.submodule_search_locations:
        raise ModelError(
            f"{card.name}: there is no package '{said.package}', which brings its weights",
            hint=f"mlpzoo env create {card.family}",
        )
    path = Path(found.submodule_search_locations[0]) / said.file
    hint = f"install the version of {said.package} that is in the lock: mlpzoo env create {card.family}"
    return _verified(card.name, path, said.sha256, hint=hint)


def _verified(name: str, path: Path, expected: str, *, hint: str, whose: str = "the card says") -> Path:
    if not path.exists():
        raise ModelError(f"{name}: {path} is missing", hint=hint)
    found = file_sha256(path)
    if found != expected:
        raise ModelError(f"{name}: {path.name} was altered: sha256 {found}, {whose} {expected}", hint=hint)
    return path


def place_of(card: ModelCard) -> Path:
    """Where fetched weights are, or would be: ``weights/FAMILY/MODEL.SUFFIX`` below mlpzoo's home.

    Several files are in a folder, which has no suffix.
    """
    assert card.checkpoint is not None  # noqa: S101
    if card.checkpoint.files:
        return paths.below_home("weights") / card.family / card.name.partition("/")[2]
    name = PurePosixPath(unquote(urlsplit(card.checkpoint.url).path)).name
    suffix = "".join(PurePosixPath(name).suffixes[-1:])
    return paths.below_home("weights") / card.family / f"{card.name.partition('/')[2]}{suffix}"


def fetch_weights(card: ModelCard, progress: Progress = lambda _done, _total: None) -> Path:
    """Download the weights of a card, unless they are there; whole or not at all.

    ``MLPZOO_MIRROR``, a directory or URL, stands for the host of the card's URL.

    Args:
        card: One with a URL.
        progress: Told after each megabyte.

    Raises:
        ModelError: No network, another sha256, no room; or the card has no URL.
    """
    said = card.checkpoint
    if said is None or not said.url:
        raise ModelError(f"{card.name} has no weights to fetch", hint="they come with its plugin")
    target = place_of(card)
    if _is_there(card):
        return weights_of(card, target.parent)
    by_hand = f"or {_by_hand(card)}"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        for url, path in _parts(card, temporary / target.name):
            path.parent.mkdir(exist_ok=True)
            _download(_mirrored(url), path, 0 if said.files else said.size_bytes, progress)
        found = file_sha256(temporary / target.name)
        if said.sha256 and found != said.sha256:
            raise ModelError(
                f"{_mirrored(said.url)}: sha256 is {found}, the card says {said.sha256}",
                hint=f"another file was sent; {by_hand}",
            )
        _record(target, found)
        for (_, path), (_, final) in zip(
            _parts(card, temporary / target.name), _parts(card, target), strict=True
        ):
            final.parent.mkdir(exist_ok=True)
            path.replace(final)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        raise ModelError(
            f"{_mirrored(said.url)}: cannot be fetched ({type(error).__name__}: {error})",
            hint=f"check the network, then: mlpzoo fetch {card.name}; {by_hand}",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _parts(card: ModelCard, target: Path) -> list[tuple[str, Path]]:
    """Address and place of each file of a card's weights; they are, or would be, at ``target``."""
    assert card.checkpoint is not None  # noqa: S101
    url, files = card.checkpoint.url, card.checkpoint.files
    return [(f"{url}/{name}", target / name) for name in files] or [(url, target)]


def _is_there(card: ModelCard) -> bool:
    """Whether all files of fetched weights are in their place."""
    return all(path.is_file() for _, path in _parts(card, place_of(card)))


def _by_hand(card: ModelCard) -> str:
    """How to do without `fetch_weights`."""
    assert card.checkpoint is not None  # noqa: S101
    what = f"{', '.join(card.checkpoint.files)} of " if card.checkpoint.files else ""
    into = "them into" if card.checkpoint.files else "it to"
    return f"get {what}{card.checkpoint.url} elsewhere and copy {into} {place_of(card)}"


def _mirrored(url: str) -> str:
    base = mirror()
    return f"{base}/{quote(unquote(urlsplit(url).path).lstrip('/'))}" if base else url


def _download(url: str, path: Path, size_bytes: int, progress: Progress) -> None:
    source = local_path(url)
    if source is not None:
        shutil.copyfile(source, path)
        return
    import pooch  # type: ignore[import-untyped, unused-ignore]

    with path.open("wb") as stream:
        pooch.HTTPDownloader(timeout=_TIMEOUT_S, chunk_size=_CHUNK, progressbar=_Bar(size_bytes, progress))(
            url, stream, None
        )


class _Bar:
    """What pooch takes for a progress bar; it sets `total` from the answer's header."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total = total
        self._progress = progress
        self._done = 0

    def update(self, amount: int) -> None:
        """More bytes came."""
        self._done += amount
        total = int(self.total or 0)
        self._progress(min(self._done, total or self._done), total)  # pooch counts whole chunks

    def reset(self) -> None:
        """Called once at the end, before one `update` with everything."""
        self._done = 0

    def close(self) -> None:
        """Nothing to close."""


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _record(path: Path, sha256: str) -> None:
    from mlpzoo.files import write_atomically

    write_atomically(_record_path(path), f"{sha256}  {path.name}\n".encode())


def _recorded(path: Path) -> str:
    """The sha256 that was found at first use; recorded now if this is it."""
    record = _record_path(path)
    if not record.is_file():
        _record(path, file_sha256(path))
    words = record.read_text(encoding="utf-8").split()
    return words[0] if words else ""
