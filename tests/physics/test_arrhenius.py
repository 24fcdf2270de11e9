"""Arrhenius fits: exact data, another program's weights, intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from mlpzoo.errors import DataError
from mlpzoo.physics.arrhenius import Arrhenius, fit
from mlpzoo.physics.diffusion import Estimate, poisson_interval
from mlpzoo.units import BOLTZMANN_EV_PER_KELVIN

TEMPERATURES = (800.0, 900.0, 1050.0, 1200.0)
ENERGY_EV, PREFACTOR = 0.73, 4.2e-3
TRUE = PREFACTOR * np.exp(-ENERGY_EV / (BOLTZMANN_EV_PER_KELVIN * np.array(TEMPERATURES)))
ERRORS = np.array(
    [0.16, 0.11, 0.07, 0.04]
)  # relative, one standard deviation: more hops at higher temperatures


def estimates(values: np.ndarray, errors: np.ndarray = ERRORS) -> list[Estimate]:
    """With symmetric 95 % intervals of relative standard deviations, cut at 0."""
    half = 1.959964 * errors * values
    return [
        Estimate(value=value, low=max(0.0, value - width), high=value + width)
        for value, width in zip(values.tolist(), half.tolist(), strict=True)
    ]


def holds(interval: Estimate, value: float) -> bool:
    """Whether a value is in an interval."""
    return interval.low <= value <= interval.high


def test_exact_data_give_the_energy_and_the_prefactor_exactly() -> None:
    found = fit(TEMPERATURES, estimates(TRUE))
    assert found.activation_energy_ev.value == pytest.approx(ENERGY_EV, rel=1e-12)
    assert found.prefactor.value == pytest.approx(PREFACTOR, rel=1e-11)
    assert found.chi2_per_freedom == pytest.approx(0.0, abs=1e-20)
    assert holds(found.activation_energy_ev, ENERGY_EV)
    assert holds(found.prefactor, PREFACTOR)


def test_line_and_intervals_are_those_of_polyfit_with_the_same_weights() -> None:
    values = TRUE * np.array([1.2, 0.9, 1.03, 0.98])
    found = fit(TEMPERATURES, estimates(values))
    x = 1 / (BOLTZMANN_EV_PER_KELVIN * np.array(TEMPERATURES))
    (slope, level), covariance = np.polyfit(x, np.log(values), 1, w=1 / ERRORS, cov="unscaled")
    slope_error, level_error = 1.959964 * np.sqrt(np.diag(covariance))
    assert found.activation_energy_ev.value == pytest.approx(-slope, rel=1e-9)
    assert found.activation_energy_ev.low == pytest.approx(-slope - slope_error, rel=1e-9)
    assert found.activation_energy_ev.high == pytest.approx(-slope + slope_error, rel=1e-9)
    assert found.prefactor.value == pytest.approx(np.exp(level), rel=1e-9)
    assert found.prefactor.low == pytest.approx(np.exp(level - level_error), rel=1e-9)
    assert found.prefactor.high == pytest.approx(np.exp(level + level_error), rel=1e-9)
    residual = (np.log(values) - level - slope * x) / ERRORS
    assert found.chi2_per_freedom == pytest.approx((residual**2).sum() / 2, rel=1e-9)


def test_order_of_temperatures_and_unit_of_diffusivity_do_not_matter() -> None:
    values = TRUE * np.array([1.2, 0.9, 1.03, 0.98])
    found = fit(TEMPERATURES, estimates(values))
    other = fit(TEMPERATURES[::-1], estimates(1e4 * values[::-1], ERRORS[::-1]))
    assert other.activation_energy_ev.value == pytest.approx(found.activation_energy_ev.value)
    assert other.prefactor.high == pytest.approx(1e4 * found.prefactor.high)


def covered(found: list[Arrhenius]) -> tuple[int, int]:
    """In how many fits the intervals of energy and prefactor hold the true values."""
    return (
        sum(holds(one.activation_energy_ev, ENERGY_EV) for one in found),
        sum(holds(one.prefactor, PREFACTOR) for one in found),
    )


def test_intervals_hold_the_truth_for_normal_errors() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(100):
        values = TRUE * (1 + ERRORS * generator.standard_normal(len(TRUE)))
        # An estimate's interval has its own width, not that of the truth.
        found.append(fit(TEMPERATURES, estimates(values, ERRORS * TRUE / values)))
    assert min(covered(found)) >= 90
    assert np.mean([one.chi2_per_freedom for one in found]) == pytest.approx(1.0, abs=0.4)


def test_intervals_hold_the_truth_for_numbers_of_hops() -> None:
    generator = np.random.default_rng(1)
    expected = 200 * TRUE / TRUE[-1]  # hops; 9 at the lowest temperature
    found = []
    while len(found) < 100:
        numbers = generator.poisson(expected)
        if numbers.min() < 5:
            continue
        hops = [
            Estimate(value=n, low=poisson_interval(n)[0], high=poisson_interval(n)[1])
            for n in numbers.tolist()
        ]
        found.append(fit(TEMPERATURES, hops))
    assert sum(holds(one.activation_energy_ev, ENERGY_EV) for one in found) >= 90


def test_an_interval_that_was_cut_at_zero_does_not_weigh_more_for_it() -> None:
    wide = [*estimates(TRUE)[1:], Estimate(value=TRUE[0], low=0.0, high=3 * TRUE[0])]
    found = fit((*TEMPERATURES[1:], TEMPERATURES[0]), wide)
    whole = fit(TEMPERATURES, [Estimate(value=TRUE[0], low=-TRUE[0], high=3 * TRUE[0]), *estimates(TRUE)[1:]])
    assert wide[-1].low == 0.0
    # Without the cut the half width is 2 (value); `low` below 0 counts as cut.
    assert found.activation_energy_ev.high == pytest.approx(whole.activation_energy_ev.high)
    without = fit(TEMPERATURES[1:], estimates(TRUE)[1:])
    ratio = found.activation_energy_ev.high - ENERGY_EV, without.activation_energy_ev.high - ENERGY_EV
    assert 0.9 < ratio[0] / ratio[1] < 1.0, "it hardly adds to the others"


@pytest.mark.parametrize("temperatures", [(800.0, 900.0), (800.0, 800.0, 900.0, 900.0), ()])
def test_too_few_temperatures_are_an_error(temperatures: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="too few") as caught:
        fit(temperatures, estimates(TRUE[: len(temperatures)], ERRORS[: len(temperatures)]))
    assert "3" in caught.value.hint


@pytest.mark.parametrize(
    "bad",
    [
        Estimate(value=0.0, low=0.0, high=1e-6),
        Estimate(value=-1e-7, low=0.0, high=1e-6),
        Estimate(value=1e-6, low=1e-6, high=1e-6),
        Estimate(value=np.nan, low=0.0, high=1e-6),
    ],
)
def test_a_diffusivity_without_logarithm_or_width_is_an_error(bad: Estimate) -> None:
    with pytest.raises(DataError, match="not positive, or has an interval without width"):
        fit(TEMPERATURES, [bad, *estimates(TRUE)[1:]])
