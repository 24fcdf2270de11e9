"""The input of all rare-event metrics: forces of a model beside reference forces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlpzoo.metrics.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    boolean_array,
    finite_array,
    integer_array,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForceComparison:
    """Predicted and reference forces of the atoms of a set of snapshots, one after the other.

    Arrays are copied, checked and made read-only; anything that numpy can convert is taken.

    Attributes:
        reference_forces: Forces F in eV/Å, shape (n_atoms, 3).
        predicted_forces: Forces F' in eV/Å, shape (n_atoms, 3).
        snapshot: Index (from 0) of the snapshot that each atom belongs to, shape (n_atoms,).
        re_mask: Whether the atom is a rare-event (migrating) atom, shape (n_atoms,).
        atom_counts: Atoms that each snapshot must have, shape (n_snapshots,). It guards against
            lost rows, and energies are divided by it.
        reference_energies: Total energies in eV, shape (n_snapshots,); None where unknown.
        predicted_energies: Total energies in eV, shape (n_snapshots,); None where unknown.

    Raises:
        ValueError: If shapes or lengths do not fit, a number is not finite, an index or mask has
            the wrong type, a snapshot has no atom or more or fewer than its `atom_counts`, or
            only one of the two energies is given.
    """

    reference_forces: FloatArray
    predicted_forces: FloatArray
    snapshot: IntArray
    re_mask: BoolArray
    atom_counts: IntArray
    reference_energies: FloatArray | None = None
    predicted_energies: FloatArray | None = None

    def __post_init__(self) -> None:
        """Check and freeze the arrays."""
        reference = finite_array(self.reference_forces, "reference_forces", (None, 3))
        n = len(reference)
        snapshot = integer_array(self.snapshot, "snapshot", n)
        counts = integer_array(self.atom_counts, "atom_counts", None)
        _require_counts(snapshot, counts)
        checked: dict[str, npt.NDArray[np.generic]] = {
            "reference_forces": reference,
            "predicted_forces": finite_array(self.predicted_forces, "predicted_forces", (n, 3)),
            "snapshot": snapshot,
            "re_mask": boolean_array(self.re_mask, "re_mask", n),
            "atom_counts": counts,
        }
        if (self.reference_energies is None) != (self.predicted_energies is None):
            msg = "reference_energies and predicted_energies: give both or neither"
            raise ValueError(msg)
        for name in ("reference_energies", "predicted_energies"):
            if (energies := getattr(self, name)) is not None:
                checked[name] = finite_array(energies, name, (len(counts),))
        for name, array in checked.items():
            object.__setattr__(self, name, array)

    @classmethod
    def from_snapshots(
        cls,
        *,
        reference_forces: Sequence[npt.ArrayLike],
        predicted_forces: Sequence[npt.ArrayLike],
        re_masks: Sequence[npt.ArrayLike],
        reference_energies: npt.ArrayLike | None = None,
        predicted_energies: npt.ArrayLike | None = None,
    ) -> ForceComparison:
        """Join snapshots, which may differ in their number of atoms.

        Args:
            reference_forces: F of each snapshot in eV/Å, shape (n, 3) each.
            predicted_forces: F' of each snapshot in eV/Å, shape (n, 3) each.
            re_masks: Which atoms of each snapshot are RE atoms, shape (n,) each.
            reference_energies: Total energies in eV, shape (n_snapshots,), or None.
            predicted_energies: Total energies in eV, shape (n_snapshots,), or None.

        Raises:
            ValueError: As for the class; the message names the snapshot.
        """
        n_snapshots = len(reference_forces)
        for name, parts in (("predicted_forces", predicted_forces), ("re_masks", re_masks)):
            if len(parts) != n_snapshots:
                msg = f"{name}: {len(parts)} snapshots, reference_forces has {n_snapshots}"
                raise ValueError(msg)
        if not n_snapshots:
            msg = "reference_forces: no snapshot given"
            raise ValueError(msg)
        reference, predicted, masks = [], [], []
        for i, parts in enumerate(zip(reference_forces, predicted_forces, re_masks, strict=True)):
            forces = finite_array(parts[0], f"reference_forces of snapshot {i}", (None, 3))
            name, n_atoms = f"predicted_forces of snapshot {i}", len(forces)
            reference.append(forces)
            predicted.append(finite_array(parts[1], name, (n_atoms, 3)))
            masks.append(boolean_array(parts[2], f"re_mask of snapshot {i}", n_atoms))
        atom_counts = np.array([len(forces) for forces in reference])
        return cls(
            reference_forces=np.concatenate(reference),
            predicted_forces=np.concatenate(predicted),
            snapshot=np.repeat(np.arange(n_snapshots), atom_counts),
            re_mask=np.concatenate(masks),
            atom_counts=atom_counts,
            # The constructor converts and checks these.
            reference_energies=reference_energies,  # type: ignore[arg-type]
            predicted_energies=predicted_energies,  # type: ignore[arg-type]
        )

    @property
    def n_snapshots(self) -> int:
        """Number of snapshots."""
        return len(self.atom_counts)

    def has_same_reference(self, other: ForceComparison) -> bool:
        """Whether both are over the same snapshots, RE atoms, reference forces and energies.

        Where one has no energies, those of the other are not looked at.
        """
        mine, theirs = self.reference_energies, other.reference_energies
        return (
            np.array_equal(self.snapshot, other.snapshot)
            and np.array_equal(self.re_mask, other.re_mask)
            and np.array_equal(self.reference_forces, other.reference_forces)
            and (mine is None or theirs is None or np.array_equal(mine, theirs))
        )


def _require_counts(snapshot: IntArray, atom_counts: IntArray) -> None:
    n_snapshots = len(atom_counts)
    if not n_snapshots or atom_counts.min() < 1:
        msg = "atom_counts: at least one snapshot, and one atom in each, are needed"
        raise ValueError(msg)
    if len(snapshot) and not 0 <= snapshot.min() <= snapshot.max() < n_snapshots:
        msg = (
            f"snapshot: indices run from {snapshot.min()} to {snapshot.max()}, "
            f"expected 0 to {n_snapshots - 1}"
        )
        raise ValueError(msg)
    found = np.bincount(snapshot, minlength=n_snapshots)
    wrong = np.flatnonzero(found != atom_counts)
    if len(wrong):
        i = int(wrong[0])
        msg = f"snapshot {i}: {found[i]} atoms given, atom_counts says {atom_counts[i]}"
        raise ValueError(msg)
