"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_sevenn"
    pins = ("sevenn==0.13.0",)
    variants = ("torch==2.13.0",)
