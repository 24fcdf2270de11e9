"""Every promise of the core's kit, kept by the model that is shipped."""

from mlpzoo.testing import BackendConformance


class TestMtp(BackendConformance):
    model = "mtp/si-small"
