"""Every promise of the core's kit, kept by the first model; those that its sisters could break, by these."""

from mlpzoo.testing import BackendConformance

SISTERS = ("card", "unknown-element", "golden")  # a call of l3i5 takes two seconds


class TestSevenNet0(BackendConformance):
    model = "sevenn/7net-0"


class TestSevenNetL3i5(BackendConformance):
    model = "sevenn/7net-l3i5"
    promises = SISTERS


class TestSevenNetMf0Pbe(BackendConformance):
    model = "sevenn/7net-mf-0-pbe"
    promises = SISTERS


class TestSevenNetMf0R2scan(BackendConformance):
    model = "sevenn/7net-mf-0-r2scan"
    promises = SISTERS
