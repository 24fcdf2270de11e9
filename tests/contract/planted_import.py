"""A plugin whose benchmark's module imports a framework (a module of the standard library stands for it)."""

import colorsys  # noqa: F401

from planted_benchmarks import CASE, QUANTITIES, run

from mlpzoo import BenchmarkSpec, hookimpl


class Paint:
    family = "paint"
    requires = ("colorsys",)
    lock_file = None

    def cards(self):
        return []

    def calculator(self, spec):
        raise NotImplementedError


@hookimpl
def mlpzoo_register_backends():
    return [Paint()]


@hookimpl
def mlpzoo_register_benchmarks():
    return [
        BenchmarkSpec(
            name="painted",
            version=1,
            title="A random walk",
            quantities=QUANTITIES,
            cases=lambda _: [CASE],
            run=run,
        )
    ]
