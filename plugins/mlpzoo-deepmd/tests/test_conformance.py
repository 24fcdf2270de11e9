"""Every promise of the core's kit, kept by the model that is shipped, and by others with random weights."""

from mlpzoo.testing import BackendConformance

SISTERS = (
    "card",
    "float64",
    "forces",
    "stress",
    "small-cells",
    "isolated-atom",
    "slab",
    "cutoff",
    "no-state",
)
"""All of them pass the whole kit: `mlpzoo check deepmd --random dpa3`."""


class TestDeepmd(BackendConformance):
    model = "deepmd/si-small"


class TestNetworksOfPairs(BackendConformance):
    model = "deepmd"
    random = "se_e2_a-pairs"
    promises = SISTERS


class TestDpa2(BackendConformance):
    model = "deepmd"
    random = "dpa2"
    promises = SISTERS


class TestDpa3(BackendConformance):
    model = "deepmd"
    random = "dpa3"
    promises = SISTERS
