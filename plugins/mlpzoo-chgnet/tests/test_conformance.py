"""Every promise of the core's kit, kept by every model."""

from mlpzoo.testing import BackendConformance


class TestChgnet030(BackendConformance):
    model = "chgnet/0.3.0"


class TestChgnet020(BackendConformance):
    model = "chgnet/0.2.0"


class TestChgnetR2scan(BackendConformance):
    model = "chgnet/r2scan"
