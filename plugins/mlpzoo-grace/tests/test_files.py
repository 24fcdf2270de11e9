"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_grace"
    pins = ("tensorpotential==0.6.2", "tensorflow-cpu==2.20.0")
