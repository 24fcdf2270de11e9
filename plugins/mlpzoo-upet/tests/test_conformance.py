"""Every promise of the core's kit, kept by a model of the framework's own making with random weights."""

from mlpzoo.testing import BackendConformance

NOT_EQUIVARIANT = (
    "PET learns rotations from turned copies of its training set, it does not know them: "
    "https://lab-cosmo.github.io/upet/latest/"
)


class TestPET(BackendConformance):
    model = "upet"
    random = "pet"
    known_failures = {"rotation": NOT_EQUIVARIANT}  # noqa: RUF012


class TestExported(BackendConformance):
    model = "upet"
    random = "exported"
    promises = ("forces", "stress", "small-cells", "slab", "no-state")
