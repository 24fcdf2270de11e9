"""The conformance kit: what every calculator and every benchmark promises, for plugin authors.

In a plugin's tests::

    from mlpzoo.testing import BackendConformance, BenchmarkConformance, PluginPackage


    class TestMace(BackendConformance):
        model = "mace/si-small"


    class TestFiles(PluginPackage):
        module = "mlpzoo_mace"
        pins = ("mace-torch==0.3.16",)
        variants = ("torch==2.13.0",)


    class TestBulkEnergy(BenchmarkConformance):
        benchmark = "bulk-energy"

Without pytest: ``for result in run_checks(Subject(backend=..., spec=...)): ...``; `run_benchmark_checks`.
"""

from __future__ import annotations

from mlpzoo.testing.benchmark_kit import BENCHMARK_CHECKS, run_benchmark_checks
from mlpzoo.testing.benchmark_subject import BenchmarkSubject
from mlpzoo.testing.benchmark_suite import BenchmarkConformance
from mlpzoo.testing.golden import write_golden
from mlpzoo.testing.kit import CHECKS, run_checks
from mlpzoo.testing.local import subject_of
from mlpzoo.testing.package import PluginPackage
from mlpzoo.testing.random_models import RandomModels, random_subject
from mlpzoo.testing.report import BrokenPromiseError, Check, CheckResult, NotApplicableError
from mlpzoo.testing.subject import Evaluation, Subject
from mlpzoo.testing.suite import BackendConformance, check_model

__all__ = [
    "BENCHMARK_CHECKS",
    "CHECKS",
    "BackendConformance",
    "BenchmarkConformance",
    "BenchmarkSubject",
    "BrokenPromiseError",
    "Check",
    "CheckResult",
    "Evaluation",
    "NotApplicableError",
    "PluginPackage",
    "RandomModels",
    "Subject",
    "check_model",
    "random_subject",
    "run_benchmark_checks",
    "run_checks",
    "subject_of",
    "write_golden",
]
