"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_mattersim"
    pins = ("mattersim==1.2.3",)
    variants = ("torch==2.13.0",)
