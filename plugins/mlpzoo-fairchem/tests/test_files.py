"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_fairchem"
    pins = ("fairchem-core==2.24.0",)
    variants = ("torch==2.13.0",)
