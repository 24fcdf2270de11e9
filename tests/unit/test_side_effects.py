"""What frameworks change is undone, also when they fail; torch's part is tested where torch is: by the kit."""

from __future__ import annotations

import os
import sys
import warnings

import pytest

from mlpzoo.side_effects import quiet


@pytest.mark.parametrize("fails", [False, True])
def test_a_noisy_framework_leaves_no_trace(
    fails: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPZOO_NOISY", "before")
    filters, variables = list(warnings.filters), dict(os.environ)
    try:
        with quiet():
            print("hello")
            warnings.warn("old", stacklevel=1)
            os.environ["MLPZOO_NOISY"] = "after"
            os.environ["MLPZOO_NEW"] = "1"
            if fails:
                raise RuntimeError
    except RuntimeError:
        assert fails
    assert dict(os.environ) == variables
    assert warnings.filters == filters
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")


def test_asking_for_it_imports_no_framework() -> None:
    assert "torch" not in sys.modules
