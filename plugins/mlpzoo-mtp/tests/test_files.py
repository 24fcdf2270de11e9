"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_mtp"
    pins = ("motep==0.2.0",)
    frameworks = ("numba", "jax", "mpi4py")
