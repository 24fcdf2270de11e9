"""Lock files: everything pinned, nothing of the machine that made them, torch left open."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from mlpzoo.errors import EnvError
from mlpzoo.lockfile import BASE_REQUIREMENTS, VARIANT, clean, make_lock, read_lock

HASH = "    --hash=sha256:" + "a" * 64


def entry(pin: str, *, hashes: int = 2) -> str:
    """A package as uv writes it."""
    return " \\\n".join([pin, *[HASH] * hashes]) + "\n"


def names(text: str) -> list[str]:
    """Packages of a lock's text, in order."""
    return [m.group(1) for m in re.finditer(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)]


def variants(text: str) -> list[str]:
    return [line.removeprefix(VARIANT).strip() for line in text.splitlines() if line.startswith(VARIANT)]


# -- reading -------------------------------------------------------------------------------------------


def test_packages_and_variants_are_read(tmp_path: Path):
    text = (
        "# Made by 'mlpzoo env lock'; do not edit.\n# mlpzoo-variant: torch==2.13.0\n\n"
        + entry("ase==3.26.0")
        + entry("tomli==2.0.1 ; python_full_version < '3.11'")
        + "    # via ase\n"
        + "torch-ema==0.3\n"
    )
    (tmp_path / "r.lock").write_text(text)
    lock = read_lock(tmp_path / "r.lock")
    assert lock.packages == ("ase==3.26.0", "tomli==2.0.1", "torch-ema==0.3")
    assert lock.variants == ("torch==2.13.0",)
    assert lock.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "line",
    [
        "ase",
        "ase>=3.26",
        "ase~=3.26.0",
        "ase==3.*",
        "ase @ https://example.org/ase.whl",
        "-e .",
        "./local-package",
        "--index-url https://example.org/simple",
        "-r other.txt",
        "https://example.org/ase.whl",
    ],
)
def test_a_line_that_is_not_pinned_is_refused_and_named(tmp_path: Path, line: str):
    (tmp_path / "r.lock").write_text(f"numpy==2.0\n{line}\n")
    with pytest.raises(EnvError, match="is not a pinned package") as caught:
        read_lock(tmp_path / "r.lock")
    assert f"'{line}'" in caught.value.message
    assert "r.lock" in caught.value.message
    assert "env lock" in caught.value.hint


def test_a_missing_file_says_how_to_make_it(tmp_path: Path):
    with pytest.raises(EnvError, match=r"r\.lock: no lock file") as caught:
        read_lock(tmp_path / "r.lock")
    assert "env lock" in caught.value.hint


def test_a_file_that_is_no_text_is_an_env_error(tmp_path: Path):
    (tmp_path / "r.lock").write_bytes(b"\xff\xfe\x00ase==1")
    with pytest.raises(EnvError, match=r"r\.lock"):
        read_lock(tmp_path / "r.lock")


def test_the_hash_changes_with_any_character(tmp_path: Path):
    hashes = set()
    for i, text in enumerate(("a==1\n", "a==1\n\n", "a==2\n", "# x\na==1\n")):
        (tmp_path / f"{i}.lock").write_text(text)
        hashes.add(read_lock(tmp_path / f"{i}.lock").sha256)
    assert len(hashes) == 4


# -- cleaning ------------------------------------------------------------------------------------------


def test_torch_becomes_a_variant_line_without_its_build():
    text = clean(entry("ase==3.26.0") + entry("torch==2.13.0+cpu"))
    assert variants(text) == ["torch==2.13.0"]
    assert names(text) == ["ase"]


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-cublas-cu12",
        "nvidia-cuda-runtime-cu12",
        "nvidia-cudnn-cu12",
        "nvidia-cufft",
        "nvidia-cusparselt-cu12",
        "nvidia-nccl-cu12",
        "nvidia-nvjitlink-cu12",
        "nvidia-nvshmem-cu13",
        "nvidia-nvtx-cu12",
        "triton",
        "cuda-bindings",
        "cuda-pathfinder",
        "cuda-toolkit",
    ],
)
def test_what_only_comes_with_torch_is_dropped_with_its_hashes(name: str):
    text = clean(
        entry("ase==3.26.0", hashes=1)
        + entry(f"{name}==1.0 ; sys_platform == 'linux'", hashes=3)
        + "zlib-ng==1.0\n"
    )
    assert names(text) == ["ase", "zlib-ng"]
    assert text.count("--hash") == 1


@pytest.mark.parametrize(
    "name",
    [
        "torchmetrics",
        "torch-ema",
        "torch-geometric",
        "torch-runstats",
        "torch_scatter",
        "pytorch-lightning",
        "nvidia-ml-py",
        "cuequivariance",
        "cuequivariance-torch",
        "cuda-python-helpers",
        "tritonclient",
        "opt-einsum",
    ],
)
def test_packages_that_only_sound_like_torchs_are_kept(name: str):
    text = clean(entry("torch==2.13.0") + entry(f"{name}==1.0", hashes=2))
    assert names(text) == [name]
    assert text.count("--hash") == 2


def test_builds_of_one_version_for_some_platforms_are_one_variant():
    """uv splits torch where the site offers a CPU build for some platforms only."""
    cpu, other = "sys_platform == 'linux'", "sys_platform != 'linux'"
    text = clean(entry(f"torch==2.13.0+cpu ; {cpu}") + entry(f"torch==2.13.0 ; {other}"))
    assert variants(text) == ["torch==2.13.0"]


def test_what_is_needed_nowhere_is_dropped_unless_something_else_needs_it():
    nowhere, old = "sys_platform == 'nowhere'", "python_full_version < '3.11'"
    text = clean(
        entry(f"tensorflow==2.20.0 ; {nowhere}")
        + entry(f"rsa==4.9 ; {old} and {nowhere}")
        + entry(f"tomli==2.0.1 ; {old} or {nowhere}")
        + entry(f"torch==2.13.0 ; {nowhere}")
    )
    assert names(text) == ["tomli"]
    assert variants(text) == []
    assert text.count("--hash") == 2


def test_universal_markers_are_kept():
    pins = [
        "numpy==2.2.6 ; python_full_version < '3.11'",
        "numpy==2.3.4 ; python_full_version >= '3.11'",
        "colorama==0.4.6 ; sys_platform == 'win32'",
    ]
    text = clean("".join(entry(p) for p in pins))
    for pin in pins:
        assert pin in text


def test_markers_of_torch_are_kept():
    text = clean(
        entry("torch==2.2.2 ; sys_platform == 'darwin' and platform_machine == 'x86_64'")
        + entry("torch==2.13.0+cpu ; sys_platform != 'darwin' or platform_machine != 'x86_64'")
    )
    assert variants(text) == [
        "torch==2.2.2 ; sys_platform == 'darwin' and platform_machine == 'x86_64'",
        "torch==2.13.0 ; sys_platform != 'darwin' or platform_machine != 'x86_64'",
    ]


def test_remarks_and_empty_lines_are_dropped():
    text = clean(
        "# This file was autogenerated by uv via /home/me/x\n\n"
        + entry("ase==3.26.0")
        + "    # via -r /home/me/in\n"
    )
    assert "/home" not in text.replace("mlpzoo env lock", "")
    assert text.startswith("# Made by 'mlpzoo env lock'; do not edit.\n")


def test_a_cleaned_lock_can_be_read(tmp_path: Path):
    (tmp_path / "r.lock").write_text(
        clean(entry("ase==3.26.0") + entry("torch==2.13.0+cpu") + entry("triton==3.0"))
    )
    lock = read_lock(tmp_path / "r.lock")
    assert lock.packages == ("ase==3.26.0",)
    assert lock.variants == ("torch==2.13.0",)


# -- making: real uv, wheels of our own ----------------------------------------------------------------


@pytest.fixture
def stocked(shelf: Any, home: Path) -> Any:
    """Wheels for what a worker needs, and for a framework."""
    if not shelf.wheels.exists():
        for name, version in (
            ("ase", "3.26.0"), ("msgspec", "0.19.0"), ("numpy", "2.0.0"), ("phonopy", "4.0.0"), ("pluggy", "1.5.0"),
            ("scipy", "1.14.0"), ("tomli", "2.0.1"), ("triton", "3.0"), ("nvidia_cublas_cu12", "12.0"),
            ("filelock", "3.0"),
        ):  # fmt: skip
            shelf.wheel(name, version)
        linux = "sys_platform == 'linux'"
        shelf.wheel("torch", "9.0", requires=["filelock", f"nvidia-cublas-cu12; {linux}", f"triton; {linux}"])
        shelf.wheel("zz_framework", "1.0", requires=["torch>=2", "numpy"])
    return shelf


def test_make_lock_pins_and_hashes_all_and_names_no_place(stocked: Any, tmp_path: Path):
    requirements = tmp_path / "requirements.in"
    requirements.write_text("zz-framework\n")
    lock = make_lock(requirements, tmp_path / "requirements.lock")
    assert set(lock.packages) == {
        "ase==3.26.0", "filelock==3.0", "msgspec==0.19.0", "numpy==2.0.0", "phonopy==4.0.0", "pluggy==1.5.0", "scipy==1.14.0",
        "tomli==2.0.1", "zz-framework==1.0",
    }  # fmt: skip
    assert lock.variants == ("torch==9.0",)
    text = lock.path.read_text()
    assert re.search(r"^tomli==2\.0\.1 ; python_(full_)?version < '3\.11'", text, re.MULTILINE)
    assert text.count("--hash=sha256:") >= len(lock.packages)
    assert "://" not in text
    assert str(tmp_path) not in text
    assert str(stocked.path) not in text
    assert not re.search(r"(^|\s)-(-index|-extra-index|-find-links|f |i )", text, re.MULTILINE)
    assert {p.name for p in tmp_path.iterdir()} - {"home"} == {"requirements.in", "requirements.lock"}
    assert read_lock(lock.path) == lock


def test_what_is_never_needed_is_left_out_with_what_only_it_brings(stocked: Any, tmp_path: Path):
    requirements = tmp_path / "requirements.in"
    requirements.write_text("# gigabytes, for nothing\n# mlpzoo-without: torch zz-absent\nzz-framework\n")
    lock = make_lock(requirements, tmp_path / "requirements.lock")
    assert lock.variants == ()
    assert "zz-framework==1.0" in lock.packages
    assert "filelock==3.0" not in lock.packages
    assert {p.name for p in tmp_path.iterdir()} - {"home"} == {"requirements.in", "requirements.lock"}


def test_a_lock_holds_what_a_worker_needs(stocked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Even for a family that needs nothing; the paths may be relative."""
    (tmp_path / "requirements.in").write_text("")
    monkeypatch.chdir(tmp_path)
    lock = make_lock(Path("requirements.in"), Path("requirements.lock"))
    needed = {re.split(r"[>=;]", r)[0] for r in BASE_REQUIREMENTS}
    assert {p.partition("==")[0] for p in lock.packages} == needed
    assert (tmp_path / "requirements.lock").is_file()


def test_a_requirement_that_cannot_be_met_leaves_the_old_lock(stocked: Any, tmp_path: Path):
    (tmp_path / "requirements.in").write_text("zz-nonexistent\n")
    (tmp_path / "requirements.lock").write_text("ase==3.26.0\n")
    with pytest.raises(EnvError, match="zz-nonexistent"):
        make_lock(tmp_path / "requirements.in", tmp_path / "requirements.lock")
    assert (tmp_path / "requirements.lock").read_text() == "ase==3.26.0\n"
    assert {p.name for p in tmp_path.iterdir()} - {"home"} == {"requirements.in", "requirements.lock"}


@pytest.fixture
def newer(own_shelf: Any, home: Path, tmp_path: Path) -> Path:
    """A lock of what was there, after newer versions of everything have come out."""
    names = [re.split(r"[>=;]", r)[0] for r in BASE_REQUIREMENTS]
    for name in (*names, "torch", "zz_framework"):
        own_shelf.wheel(name, "10.0", requires=["torch"] if name == "zz_framework" else [])
    (tmp_path / "requirements.in").write_text("zz-framework\n")
    lock = make_lock(tmp_path / "requirements.in", tmp_path / "requirements.lock")
    assert set(lock.packages) == {*(f"{name}==10.0" for name in names), "zz-framework==10.0"}
    for name in (*names, "torch", "zz_framework"):
        own_shelf.wheel(name, "11.0", requires=["torch"] if name == "zz_framework" else [])
    own_shelf.wheel("zz_more", "1.0", requires=["numpy>=11"])
    return lock.path


def test_a_lock_made_again_keeps_its_pins(newer: Path):
    """The same environment as before: results stay comparable."""
    before = newer.read_text()
    assert make_lock(newer.with_suffix(".in"), newer).variants == ("torch==10.0",)
    assert newer.read_text() == before


def test_a_new_requirement_moves_only_what_it_must(newer: Path):
    before = read_lock(newer)
    newer.with_suffix(".in").write_text("zz-framework\nzz-more\n")
    after = make_lock(newer.with_suffix(".in"), newer)
    assert set(after.packages) - set(before.packages) == {"numpy==11.0", "zz-more==1.0"}
    assert set(before.packages) - set(after.packages) == {"numpy==10.0"}
    assert after.variants == before.variants


def test_upgrade_takes_the_newest_of_all(newer: Path):
    after = make_lock(newer.with_suffix(".in"), newer, upgrade=True)
    assert after.variants == ("torch==11.0",)
    assert {package.partition("==")[2] for package in after.packages} == {"11.0"}


def test_a_damaged_lock_is_made_anew(newer: Path):
    newer.write_text("numpy\n")
    assert make_lock(newer.with_suffix(".in"), newer).variants == ("torch==11.0",)


def test_missing_requirements_are_named(tmp_path: Path):
    with pytest.raises(EnvError, match=r"requirements\.in: no such file"):
        make_lock(tmp_path / "requirements.in", tmp_path / "requirements.lock")
