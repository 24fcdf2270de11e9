"""Tests of a plugin that need its framework run where it is importable, or through its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parent / "plugins"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A plugin's conformance tests make its environment if its framework is not here: mark them."""
    from mlpzoo.registry import default_registry

    for item in items:
        if item.path.name == "test_conformance.py" and PLUGINS in item.path.parents:
            family = item.path.relative_to(PLUGINS).parts[0].removeprefix("mlpzoo-")
            if not default_registry().runs_here(family):
                item.add_marker(pytest.mark.environments)
