"""What holds for the files of every plugin, as a pytest class; its framework need not be installed."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mlpzoo.testing.report import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlpzoo.models import Backend

LARGEST_SHIPPED_BYTES = 2_000_000


class PluginPackage:
    """Cards, weights, lock and imports of a plugin, as pytest tests.

    Three lines::

        from mlpzoo.testing import PluginPackage


        class TestFiles(PluginPackage):
            module = "mlpzoo_mace"
            pins = ("mace-torch==0.3.16",)
            variants = ("torch==2.13.0",)

    Attributes:
        module: The plugin's module, with the hook ``mlpzoo_register_backends``.
        pins: Packages that its lock must hold, ``name==version``.
        variants: Packages whose build the lock leaves open.
        frameworks: Modules that finding the plugin must not import, beside what its backends require.
    """

    module: ClassVar[str]
    pins: ClassVar[Sequence[str]] = ()
    variants: ClassVar[Sequence[str]] = ()
    frameworks: ClassVar[Sequence[str]] = ("torch", "tensorflow", "jax")

    def backends(self) -> list[Backend]:
        """What the plugin registers."""
        return list(importlib.import_module(self.module).mlpzoo_register_backends())

    def test_weights_that_come_along_are_those_of_the_cards(self) -> None:
        """Hash and size of each file are those on its card, and it is no larger than 2 MB."""
        from mlpzoo.hashing import file_sha256

        here = Path(str(importlib.import_module(self.module).__file__)).parent
        for card in (card for backend in self.backends() for card in backend.cards()):
            if card.checkpoint is None or not card.checkpoint.file or card.checkpoint.package:
                continue
            path, said = here / card.checkpoint.file, card.checkpoint
            require(path.is_file(), f"{card.name}: there is no {said.file} beside the module")
            size = path.stat().st_size
            require(
                size == said.size_bytes, f"{card.name}: {said.file} has {size} bytes, not {said.size_bytes}"
            )
            require(size <= LARGEST_SHIPPED_BYTES, f"{card.name}: {said.file} is larger than 2 MB")
            require(file_sha256(path) == said.sha256, f"{card.name}: {said.file} has another sha256")

    def test_lock_pins_the_framework_and_leaves_its_build_open(self) -> None:
        """The packages that it must hold, and none that belongs to one build of torch."""
        from mlpzoo.lockfile import COMES_WITH_TORCH, read_lock

        for backend in self.backends():
            if backend.lock_file is None:
                continue
            lock = read_lock(backend.lock_file)
            missing = sorted(set(self.pins) - set(lock.packages))
            require(not missing, f"{backend.family}: the lock does not hold {', '.join(missing)}")
            found = tuple(lock.variants)
            require(found == tuple(self.variants), f"{backend.family}: the lock leaves {found} open")
            bound = [p for p in lock.packages if COMES_WITH_TORCH.fullmatch(p.partition("==")[0])]
            require(not bound, f"{backend.family}: the lock holds {', '.join(bound)}")

    def test_finding_the_plugin_imports_no_framework(self) -> None:
        """Neither do its cards and presets."""
        heavy = {*self.frameworks, *(name for backend in self.backends() for name in backend.requires)}
        code = (
            f"import sys, {self.module} as plugin\n"
            "for backend in plugin.mlpzoo_register_backends():\n"
            "    backend.cards(), backend.requires, backend.lock_file\n"
            "    getattr(backend, 'presets', dict)()\n"
            f"print(*sorted(set(sys.modules) & {heavy!r}))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        require(not done.stdout.strip(), f"finding the plugin imports {done.stdout.strip()}")
