"""The sets of Liu et al.: converted as published, and what is published is what the paper says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlpzoo.data.checks import distance_to_re_atoms
from mlpzoo.data.dataset import Dataset, load_dataset
from mlpzoo.data.fetch import fetch
from mlpzoo.errors import DataError

from .conftest import MakePublic, labelled, liu_folder, poscars, snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_levels_are_kept_apart(make_public: MakePublic) -> None:
    make_public(liu_folder())
    dataset = load_dataset(fetch("fake-si"))
    assert dataset.spec.reference.level == "K4"
    assert list(dataset.levels) == ["K2", "K1"]
    for index in range(3):
        expected = labelled(index)
        np.testing.assert_allclose(dataset.forces[index], expected.forces, atol=1e-9)
        for level, shift in (("K2", 0.25), ("K1", 0.5)):
            got = dataset.levels[level].forces[index]
            np.testing.assert_allclose(got, expected.forces + shift, atol=1e-9)
    assert dataset.levels["K2"].energies is not None
    assert dataset.levels["K1"].energies is None


def test_structures_are_found_by_index_whatever_their_order_in_the_archive(
    make_public: MakePublic,
) -> None:
    make_public(liu_folder())
    dataset = load_dataset(fetch("fake-si"))
    for index, atoms in enumerate(dataset.frames):
        assert atoms.info["frame_id"].endswith(f"-{index:03d}")
        expected = snapshot(index)
        expected.wrap()
        atoms.wrap()
        np.testing.assert_allclose(atoms.positions, expected.positions, atol=1e-6)


def test_structures_numbered_from_one_are_refused(make_public: MakePublic) -> None:
    """An archive whose structures are shifted against the lists: r does not fit the geometry."""
    folder = liu_folder()
    shifted = [labelled(index).atoms for index in (1, 2, 0)]
    make_public({**folder, "structure_poscars.zip": poscars(shifted)})
    with pytest.raises(DataError, match="nearest RE atom"):
        fetch("fake-si")


def test_structures_without_forces_are_refused(make_public: MakePublic) -> None:
    extra = [labelled(index).atoms for index in range(4)]
    make_public({**liu_folder(), "structure_poscars.zip": poscars(extra)})
    with pytest.raises(DataError, match="4 structures for forces of 3"):
        fetch("fake-si")


def test_a_repeated_structure_is_kept_once(make_public: MakePublic) -> None:
    folder = liu_folder()
    data = json.loads(folder["DATA.json"])
    for table in (*data["Forces"].values(), *data["Energies"].values(), data["r"]):
        table.append(table[0])
    atoms = [labelled(index).atoms for index in (0, 1, 2, 0)]
    make_public({"DATA.json": json.dumps(data).encode(), "structure_poscars.zip": poscars(atoms)})
    dataset = load_dataset(fetch("fake-si"))
    assert len(dataset) == 3
    assert dataset.spec.provenance["repeated_structures_left_out"] == 1


def test_a_structure_with_two_labels_is_refused(make_public: MakePublic) -> None:
    folder = liu_folder()
    data = json.loads(folder["DATA.json"])
    for table in (*data["Forces"].values(), *data["Energies"].values(), data["r"]):
        table.append(table[0])
    data["Energies"]["DFT_K4"][3] += 1
    atoms = [labelled(index).atoms for index in (0, 1, 2, 0)]
    make_public({"DATA.json": json.dumps(data).encode(), "structure_poscars.zip": poscars(atoms)})
    with pytest.raises(DataError, match="one structure with two labels"):
        fetch("fake-si")


# --- the published data, from the mirror that MLPZOO_MIRROR names ---


@pytest.fixture(params=["vacancy", "interstitial"])
def published(request: pytest.FixtureRequest, real_mirror: Path, home: Path) -> Dataset:
    return load_dataset(fetch(f"liu2023-si-{request.param}"))


def test_published_sets_have_the_paper_s_size(published: Dataset) -> None:
    """Counts as published: 100 snapshots each; 63 and 65 atoms; 146 and 177 RE atoms."""
    n_atoms, n_re = {"vacancy": (63, 146), "interstitial": (65, 177)}[
        published.spec.name.removeprefix("liu2023-si-")
    ]
    assert published.re_mask is not None
    assert published.energies is not None
    assert [len(atoms) for atoms in published.frames] == [n_atoms] * 100
    assert sum(int(mask.sum()) for mask in published.re_mask) == n_re
    assert published.spec.system == "liu2023-si"
    assert published.levels["K2"].energies is not None
    assert published.levels["K1"].energies is None


def test_published_r_is_the_distance_in_every_frame(published: Dataset) -> None:
    """Positions and labels are in the same order: checked here on its own, all atoms, all frames.

    POSCARs have six decimals of an 11 Å cell: 1e-5 Å.
    """
    assert published.re_mask is not None
    assert published.r is not None
    for atoms, mask, r in zip(published.frames, published.re_mask, published.r, strict=True):
        distance = distance_to_re_atoms(atoms, mask)
        near = r < 5.5
        np.testing.assert_allclose(distance[near], r[near], rtol=0, atol=2e-5)
        assert (distance[~near] > 5.0).all()


def test_snapshots_without_a_migrating_atom_stay_in(published: Dataset) -> None:
    assert published.re_mask is not None
    assert published.r is not None
    without = [r for mask, r in zip(published.re_mask, published.r, strict=True) if not mask.any()]
    assert len(without) == {"liu2023-si-vacancy": 38, "liu2023-si-interstitial": 1}[published.spec.name]
    assert all((r == 5.5).all() for r in without)


def test_published_forces_belong_to_the_structures(published: Dataset) -> None:
    """Forces add up to zero in each frame, as VASP makes them, and levels resemble each other."""
    for index, forces in enumerate(published.forces):
        np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-5)
        for level in published.levels.values():
            pair = forces.ravel(), level.forces[index].ravel()
            assert np.corrcoef(*pair)[0, 1] > 0.97


def test_the_coarsest_mesh_against_the_finest(real_mirror: Path, home: Path) -> None:
    """K1 against K4 on the interstitial set: figures found independently, by the project's design."""
    dataset = load_dataset(fetch("liu2023-si-interstitial"))
    assert dataset.re_mask is not None
    mask = np.concatenate(dataset.re_mask)
    k4, k1 = np.concatenate(dataset.forces), np.concatenate(dataset.levels["K1"].forces)
    assert np.sqrt(np.mean((k1 - k4) ** 2)) == pytest.approx(0.129, abs=5e-4)
    assert int(mask.sum()) == 177
    magnitude, angle = _errors(k1[mask], k4[mask])
    assert 100 * np.mean(np.abs(magnitude) > 0.5) == pytest.approx(5.1, abs=0.05)
    assert 100 * np.mean(angle > 15) == pytest.approx(29, abs=0.5)


def _errors(
    predicted: NDArray[np.float64], reference: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.linalg.norm(predicted, axis=1), np.linalg.norm(reference, axis=1)
    cosine = np.einsum("ij,ij->i", predicted, reference) / (a * b)
    return a - b, np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("name", ["vacancy", "interstitial"])
def test_the_training_sets_hold_energies_and_forces(
    real_mirror: Path,
    home: Path,
    name: str,
) -> None:
    dataset = load_dataset(fetch(f"liu2023-si-{name}-training"))
    assert len(dataset) == 218  # 219 published, structure 28 is structure 24
    assert dataset.spec.provenance["repeated_structures_left_out"] == 1
    assert dataset.energies is not None
    assert dataset.re_mask is None
    sizes = np.array([len(atoms) for atoms in dataset.frames])
    assert ((dataset.energies / sizes > -5.43) & (dataset.energies / sizes < -4.4)).all()
