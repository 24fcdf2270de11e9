"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_nequip"
    pins = ("nequip==0.19.1",)
    variants = ("torch==2.13.0",)
