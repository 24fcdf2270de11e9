"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_allegro"
    pins = ("nequip-allegro==0.8.3", "nequip==0.19.1")
    variants = ("torch==2.13.0",)
    frameworks = ("torch", "lightning", "e3nn")
