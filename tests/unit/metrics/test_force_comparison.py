"""A comparison that does not fit together is refused with a message that says where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlpzoo.metrics import ForceComparison

if TYPE_CHECKING:
    from collections.abc import Callable


def _fields(**changed: Any) -> dict[str, Any]:
    fields = {
        "reference_forces": np.ones((5, 3)),
        "predicted_forces": np.zeros((5, 3)),
        "snapshot": np.array([0, 0, 1, 1, 1]),
        "re_mask": np.array([True, False, False, False, True]),
        "atom_counts": np.array([2, 3]),
        "reference_energies": np.array([1.0, 2.0]),
        "predicted_energies": np.array([1.0, 2.0]),
    }
    return fields | changed


def _with(values: object, index: object, value: float) -> Any:
    array = np.array(values, dtype=float)
    array[index] = value  # type: ignore[call-overload]
    return array


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"predicted_forces": np.zeros((4, 3))}, r"predicted_forces: shape \(4, 3\), .*\(5, 3\)"),
        ({"reference_forces": np.zeros(15)}, r"reference_forces: shape \(15,\), .*\(n, 3\)"),
        (
            {"predicted_forces": _with(np.zeros((5, 3)), (3, 2), np.nan)},
            r"predicted_forces: 1 of 15 .*\(3, 2\)",
        ),
        (
            {"reference_forces": _with(np.zeros((5, 3)), (0, 0), -np.inf)},
            r"reference_forces: 1 of 15 .*-inf",
        ),
        ({"predicted_forces": np.full((5, 3), 1e160)}, "predicted_forces: 15 of 15 .*not finite"),
        ({"snapshot": np.array([0, 1, 1, 1])}, r"snapshot: shape \(4,\), expected \(5,\)"),
        ({"snapshot": np.array([0.0, 0.0, 1.0, 1.0, 1.0])}, "snapshot: dtype float64"),
        ({"snapshot": np.array([0, 0, 1, 1, 2])}, "snapshot: indices run from 0 to 2, .* 0 to 1"),
        ({"snapshot": np.array([-1, 0, 1, 1, 1])}, "snapshot: indices run from -1 to 1"),
        ({"snapshot": np.array([0, 1, 1, 1, 1])}, "snapshot 0: 1 atoms given, atom_counts says 2"),
        ({"re_mask": np.array([0, 4])}, r"re_mask: shape \(2,\), expected \(5,\)"),
        ({"re_mask": np.array([1, 0, 0, 0, 1])}, "re_mask: dtype int64, expected bool"),
        ({"atom_counts": np.array([2, 3, 0])}, "atom_counts: .*one atom in each"),
        ({"atom_counts": np.array([], dtype=int)}, "atom_counts: at least one snapshot"),
        ({"predicted_energies": None}, "give both or neither"),
        ({"reference_energies": None}, "give both or neither"),
        ({"predicted_energies": np.ones(5)}, r"predicted_energies: shape \(5,\), .*\(2,\)"),
        ({"predicted_energies": np.array([1.0, np.nan])}, "predicted_energies: 1 of 2"),
        ({"reference_energies": [1.0, None]}, "reference_energies: 1 of 2"),
    ],
)
def test_inconsistent_input_is_refused(changed: dict[str, Any], message: str) -> None:
    ForceComparison(**_fields())
    with pytest.raises(ValueError, match=message):
        ForceComparison(**_fields(**changed))


def test_first_row_cannot_get_lost() -> None:
    fields = _fields()
    for name in ("reference_forces", "predicted_forces", "snapshot", "re_mask"):
        fields[name] = fields[name][1:]
    with pytest.raises(ValueError, match="snapshot 0: 1 atoms given, atom_counts says 2"):
        ForceComparison(**fields)


def test_arrays_are_copied_and_cannot_be_changed() -> None:
    fields = _fields()
    comparison = ForceComparison(**fields)
    fields["reference_forces"][0] = 7.0
    assert comparison.reference_forces[0, 0] == 1.0
    for name in fields:
        with pytest.raises(ValueError, match="read-only"):
            getattr(comparison, name)[0] = 1


def test_joined_snapshots_keep_their_order_and_sizes() -> None:
    sizes = [2, 4, 3]
    reference = [np.full((n, 3), float(i)) for i, n in enumerate(sizes)]
    masks = [np.arange(n) == 0 for n in sizes]
    joined = ForceComparison.from_snapshots(
        reference_forces=reference,
        predicted_forces=[forces + 1.0 for forces in reference],
        re_masks=masks,
        reference_energies=[1, 2, 3],
        predicted_energies=[4, 5, 6],
    )
    assert joined.n_snapshots == 3
    assert joined.snapshot.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert joined.reference_forces[:, 0].tolist() == joined.snapshot.tolist()
    assert np.flatnonzero(joined.re_mask).tolist() == [0, 2, 6]
    assert joined.predicted_energies is not None
    assert joined.predicted_energies.tolist() == [4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("predicted", "masks", "message"),
    [
        ([(2, 3)], [2, 3], "predicted_forces: 1 snapshots, reference_forces has 2"),
        ([(2, 3), (3, 3)], [2], "re_masks: 1 snapshots, reference_forces has 2"),
        # The sum of the sizes fits, the snapshots do not.
        ([(3, 3), (2, 3)], [2, 3], r"predicted_forces of snapshot 0: shape \(3, 3\)"),
        ([(2, 3), (3, 3)], [3, 2], r"re_mask of snapshot 0: shape \(3,\), expected \(2,\)"),
    ],
)
def test_snapshots_of_different_sizes_are_not_matched(
    predicted: list[tuple[int, int]], masks: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ForceComparison.from_snapshots(
            reference_forces=[np.zeros((2, 3)), np.zeros((3, 3))],
            predicted_forces=[np.zeros(shape) for shape in predicted],
            re_masks=[np.zeros(n, dtype=bool) for n in masks],
        )


def test_no_snapshots_are_refused() -> None:
    with pytest.raises(ValueError, match="no snapshot"):
        ForceComparison.from_snapshots(reference_forces=[], predicted_forces=[], re_masks=[])


def test_same_reference_looks_at_everything_but_the_predictions(
    make_comparison: Callable[..., ForceComparison],
) -> None:
    a = make_comparison(1, reference_seed=5)
    assert a.has_same_reference(make_comparison(2, reference_seed=5))
    assert a.has_same_reference(make_comparison(2, reference_seed=5, energies=False))
    assert not a.has_same_reference(make_comparison(1, reference_seed=6))
    base = ForceComparison(**_fields())
    for changed in (
        {"reference_forces": np.full((5, 3), 2.0)},
        {"re_mask": np.array([False, False, False, False, True])},
        {"reference_energies": np.array([1.0, 2.5])},
        {"snapshot": np.array([0, 1, 0, 1, 1])},
    ):
        assert not base.has_same_reference(ForceComparison(**_fields(**changed)))
