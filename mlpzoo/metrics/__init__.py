"""Error metrics: pure functions of NumPy arrays, without ASE and without the harness."""

from mlpzoo.metrics.bootstrap import Bootstrap, Difference, Interval, paired_difference, resample
from mlpzoo.metrics.comparison import ForceComparison
from mlpzoo.metrics.curves import (
    DistanceBin,
    Distribution,
    direction_error_distribution,
    error_by_distance,
    magnitude_error_distribution,
)
from mlpzoo.metrics.forces import (
    DirectionError,
    component_mae,
    component_rmse,
    direction_error,
    magnitude_error,
    vector_error,
)
from mlpzoo.metrics.rare_event import METRIC_UNITS, rare_event_metrics

__all__ = [
    "METRIC_UNITS",
    "Bootstrap",
    "Difference",
    "DirectionError",
    "DistanceBin",
    "Distribution",
    "ForceComparison",
    "Interval",
    "component_mae",
    "component_rmse",
    "direction_error",
    "direction_error_distribution",
    "error_by_distance",
    "magnitude_error",
    "magnitude_error_distribution",
    "paired_difference",
    "rare_event_metrics",
    "resample",
    "vector_error",
]
