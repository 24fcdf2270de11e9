"""Every promise of the core's kit, kept by a model of the framework's own making with random weights."""

from mlpzoo.testing import BackendConformance


class TestMatterSim(BackendConformance):
    model = "mattersim"
    random = "m3gnet"
