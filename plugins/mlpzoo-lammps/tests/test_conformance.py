"""Every promise of the core's kit, kept by every card: a class each."""

from mlpzoo_lammps.shipped import SHIPPED

from mlpzoo.testing import BackendConformance

for model in SHIPPED:
    name = f"Test {model}"
    globals()[name] = type(name, (BackendConformance,), {"model": model})
