"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_upet"
    pins = ("upet==0.3.1", "metatrain==2026.4.1")
    variants = ("torch==2.13.0",)
