"""The promises of a plugin's files: each with a planted bug that it catches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlpzoo.testing import BrokenPromiseError, PluginPackage

CARDS = """
[[card]]
name = "heavy/one"
family = "heavy"
elements = ["Si"]
properties = ["energy"]

[card.checkpoint]
file = "one.model"
sha256 = "{sha256}"
size_bytes = {size}
"""
MODULE = """
from pathlib import Path
from mlpzoo.plugin_files import cards_beside
{extra}

class Heavy:
    family = "heavy"
    requires = ("heavy_framework",)
    lock_file = Path(__file__).with_name("requirements.lock")

    def cards(self):
        return cards_beside(__file__)

    def presets(self):
        {presets}
        return {{}}


def mlpzoo_register_backends():
    return [Heavy()]
"""
CONTENT = "weights"


class Package(PluginPackage):
    module = "heavy_plugin"
    pins = ("heavy==1.0",)
    variants = ("torch==2.13.0",)


def plugin(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    sha256: str | None = None,
    size: int | None = None,
    content: str = CONTENT,
    lock: str = "",
    extra: str = "",
    presets: str = "pass",
) -> Package:
    import hashlib

    package = folder / "heavy_plugin"
    package.mkdir()
    digest = hashlib.sha256(content.encode()).hexdigest()
    (package / "__init__.py").write_text(MODULE.format(extra=extra, presets=presets))
    (package / "cards.toml").write_text(CARDS.format(sha256=sha256 or digest, size=size or len(content)))
    (package / "one.model").write_text(content)
    head = "# mlpzoo-variant: torch==2.13.0\n"
    (package / "requirements.lock").write_text(lock or f"{head}heavy==1.0 --hash=sha256:{'0' * 64}\n")
    (folder / "heavy_framework.py").write_text("")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}")
    monkeypatch.delitem(sys.modules, "heavy_plugin", raising=False)
    return Package()


def test_a_good_plugin_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = plugin(tmp_path, monkeypatch)
    package.test_weights_that_come_along_are_those_of_the_cards()
    package.test_lock_pins_the_framework_and_leaves_its_build_open()
    package.test_finding_the_plugin_imports_no_framework()


def test_packages_that_only_sound_like_builds_of_torch_may_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = f"# mlpzoo-variant: torch==2.13.0\nheavy==1.0 {HASH}\nnvidia-ml-py3==7.352.0 {HASH}\n"
    plugin(tmp_path, monkeypatch, lock=lock).test_lock_pins_the_framework_and_leaves_its_build_open()


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        ({"sha256": "0" * 64}, "another sha256"),
        ({"size": 3}, "has 7 bytes, not 3"),
        ({"content": "x" * 2_000_001}, "larger than 2 MB"),
    ],
)
def test_other_weights_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: dict[str, object], message: str
) -> None:
    package = plugin(tmp_path, monkeypatch, **planted)
    with pytest.raises(BrokenPromiseError, match=message):
        package.test_weights_that_come_along_are_those_of_the_cards()


def test_missing_weights_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = plugin(tmp_path, monkeypatch)
    (tmp_path / "heavy_plugin" / "one.model").unlink()
    with pytest.raises(BrokenPromiseError, match=r"there is no one\.model"):
        package.test_weights_that_come_along_are_those_of_the_cards()


HASH = f"--hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("lock", "message"),
    [
        (f"# mlpzoo-variant: torch==2.13.0\nheavy==1.1 {HASH}\n", "does not hold heavy==1.0"),
        (f"heavy==1.0 {HASH}\n", r"leaves \(\) open"),
        (
            f"# mlpzoo-variant: torch==2.13.0\nheavy==1.0 {HASH}\ntriton==3 {HASH}\n",
            "holds triton==3",
        ),
    ],
)
def test_other_locks_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str, message: str
) -> None:
    package = plugin(tmp_path, monkeypatch, lock=lock)
    with pytest.raises(BrokenPromiseError, match=message):
        package.test_lock_pins_the_framework_and_leaves_its_build_open()


@pytest.mark.parametrize("where", ["extra", "presets"])
def test_an_import_of_the_framework_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    package = plugin(tmp_path, monkeypatch, **{where: "import heavy_framework"})
    with pytest.raises(BrokenPromiseError, match="imports heavy_framework"):
        package.test_finding_the_plugin_imports_no_framework()
