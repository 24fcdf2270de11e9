"""Every promise of the core's kit, kept by a model of the framework's own making with random weights."""

from mlpzoo.testing import BackendConformance


class TestMaterials(BackendConformance):
    model = "fairchem"
    random = "omat"


class TestMolecules(BackendConformance):
    model = "fairchem"
    random = "omol"
    promises = ("forces", "stress", "isolated-atom", "no-state")
