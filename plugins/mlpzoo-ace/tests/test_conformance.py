"""Every promise of the core's kit, kept by the model that is shipped."""

from mlpzoo.testing import BackendConformance


class TestAce(BackendConformance):
    model = "ace/si-small"
