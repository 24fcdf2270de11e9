"""Every promise of the core's kit, kept by the model that is shipped, and by others with random weights."""

from mlpzoo.testing import BackendConformance


class TestDeepmd(BackendConformance):
    model = "deepmd/si-small"


class TestNetworksOfPairs(BackendConformance):
    model = "deepmd"
    random = "se_e2_a-pairs"


class TestDpa2(BackendConformance):
    model = "deepmd"
    random = "dpa2"


class TestDpa3(BackendConformance):
    model = "deepmd"
    random = "dpa3"
