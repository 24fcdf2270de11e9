"""The conformance kit: what every calculator promises, and tests of it for plugin authors.

In a plugin's tests::

    from mlpzoo.testing import BackendConformance


    class TestMace(BackendConformance):
        model = "mace/si-small"

Without pytest: ``for result in run_checks(Subject(backend=..., spec=...)): ...``
"""

from __future__ import annotations

from mlpzoo.testing.golden import write_golden
from mlpzoo.testing.kit import CHECKS, run_checks
from mlpzoo.testing.local import subject_of
from mlpzoo.testing.report import BrokenPromiseError, Check, CheckResult, NotApplicableError
from mlpzoo.testing.subject import Evaluation, Subject
from mlpzoo.testing.suite import BackendConformance, check_model

__all__ = [
    "CHECKS",
    "BackendConformance",
    "BrokenPromiseError",
    "Check",
    "CheckResult",
    "Evaluation",
    "NotApplicableError",
    "Subject",
    "check_model",
    "run_checks",
    "subject_of",
    "write_golden",
]
