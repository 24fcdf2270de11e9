"""Every promise of the core's kit, kept by a model of the framework's own making with random weights."""

from mlpzoo.testing import BackendConformance


class TestOneLayer(BackendConformance):
    model = "grace"
    random = "1-layer"


class TestTwoLayers(BackendConformance):
    model = "grace"
    random = "2-layer"
    promises = ("forces", "stress", "small-cells", "slab", "extensivity", "cutoff", "no-state")


class TestFinnisSinclair(BackendConformance):
    model = "grace"
    random = "fs"
    promises = ("forces", "stress", "small-cells")
