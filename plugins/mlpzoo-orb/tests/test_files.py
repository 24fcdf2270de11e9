"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_orb"
    pins = ("orb-models==0.5.5",)
    variants = ("torch==2.13.0",)
