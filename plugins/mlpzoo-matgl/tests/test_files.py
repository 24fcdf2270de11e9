"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_matgl"
    pins = ("matgl==4.1.2",)
    variants = ("torch==2.13.0",)
