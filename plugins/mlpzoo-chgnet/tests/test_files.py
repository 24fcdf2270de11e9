"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_chgnet"
    pins = ("chgnet==0.4.2",)
    variants = ("torch==2.13.0",)
