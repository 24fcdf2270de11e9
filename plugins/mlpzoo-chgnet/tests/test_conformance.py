"""Every promise of the core's kit, kept by the first model; those that its sisters could break, by these."""

from mlpzoo.testing import BackendConformance

SISTERS = ("card", "forces", "stress", "unknown-element", "golden")


class TestChgnet030(BackendConformance):
    model = "chgnet/0.3.0"


class TestChgnet020(BackendConformance):
    model = "chgnet/0.2.0"
    promises = SISTERS


class TestChgnetR2scan(BackendConformance):
    model = "chgnet/r2scan"
    promises = SISTERS
