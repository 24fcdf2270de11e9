"""Every promise of the core's kit, kept by every card."""

import pytest
from mlpzoo_lammps.shipped import SHIPPED

from mlpzoo.testing import CHECKS, check_model
from mlpzoo.testing.verdict import judge


@pytest.fixture(scope="module", params=list(SHIPPED))
def results(request):
    """All promises of a card: LAMMPS is started once for each."""
    return {result.name: result for result in check_model(request.param)}


@pytest.mark.parametrize("promise", [check.name for check in CHECKS])
def test_promise(results, promise) -> None:
    judge(results[promise], {})
