"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_mace"
    pins = ("mace-torch==0.3.16",)
    variants = ("torch==2.13.0",)
