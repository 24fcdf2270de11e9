"""Every promise of the core's kit, kept by the model that comes first."""

from mlpzoo.testing import BackendConformance


class TestGap(BackendConformance):
    model = "gap/si-small"
