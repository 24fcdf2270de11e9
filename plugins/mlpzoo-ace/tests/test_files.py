"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_ace"
    pins = ("python-ace==0.4.0rc1",)
    frameworks = ("tensorflow", "pandas", "sklearn")
