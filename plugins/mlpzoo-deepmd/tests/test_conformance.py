"""Every promise of mlpzoo's kit, kept by the default model."""

from mlpzoo.testing import BackendConformance


class TestDeepmd(BackendConformance):
    model = "deepmd/default"
