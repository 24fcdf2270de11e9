"""Every promise of the core's kit, kept by every model."""

from mlpzoo.testing import BackendConformance


class TestSevenNet0(BackendConformance):
    model = "sevenn/7net-0"


class TestSevenNetL3i5(BackendConformance):
    model = "sevenn/7net-l3i5"


class TestSevenNetMf0Pbe(BackendConformance):
    model = "sevenn/7net-mf-0-pbe"


class TestSevenNetMf0R2scan(BackendConformance):
    model = "sevenn/7net-mf-0-r2scan"
