"""Every promise of the core's kit, kept by the model that is shipped."""

from mlpzoo.testing import BackendConformance


class TestDeepmd(BackendConformance):
    model = "deepmd/si-small"
