"""``mlpzoo data fetch | list | verify``: the public and the embedded data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from mlpzoo.data.dataset import Dataset
    from mlpzoo.data.spec import DatasetSpec


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def fetch(names: tuple[str, ...]) -> None:
    """Download public data sets, check and convert them.

    NAME is a data set, or the beginning that several share: liu2023-si.  What is there already is
    checked and kept.  Set MLPZOO_MIRROR to a directory or URL to fetch from there.
    """
    from mlpzoo.data.fetch import fetch as fetch_set
    from mlpzoo.data.fetch import names_of

    wanted = dict.fromkeys(known for name in names for known in names_of(name))
    for name in wanted:
        fetch_set(name, click.echo)


@click.command("list")
def list_() -> None:
    """Show all data sets and whether they are on this machine."""
    header = ("NAME", "KIND", "SYSTEM", "FRAMES", "SIZE", "LICENCE", "WHERE")
    rows = [header, *(_row(spec) for spec in _registered().values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@click.command()
@click.argument("targets", metavar="NAME|DIR...", nargs=-1, required=True)
def verify(targets: tuple[str, ...]) -> None:
    """Check data sets and show what is in them; of several, also that none holds a structure of another.

    Hashes, counts, columns, units, and rare-event labels against the geometry; of a crystal, its
    references. Two structures are the same if a potential cannot tell them apart, whatever their order,
    origin or cell vectors: a test set must hold none of its training set.

    \b
    mlpzoo data verify si-vacancy
    mlpzoo data verify si-training si-vacancy si-interstitial
    """  # noqa: D301
    from mlpzoo.data.crystal import CRYSTAL_NAME
    from mlpzoo.data.dataset import load_dataset
    from mlpzoo.data.overlap import check_apart

    sets = []
    for target in targets:
        directory = find_directory(target)
        if (directory / CRYSTAL_NAME).is_file():
            lines = _crystal_summary(directory)
        else:
            sets.append(load_dataset(directory))
            lines = _summary(sets[-1])
        for line in lines:
            click.echo(line)
    check_apart(sets)
    if len(sets) > 1:
        click.echo(f"no structure of one of these {len(sets)} sets is in another")


def _registered() -> dict[str, DatasetSpec]:
    """All data sets by name: embedded, public, and those of plugins."""
    from mlpzoo.registry import default_registry

    return {name: entry.item for name, entry in default_registry().datasets.items()}


def _row(spec: DatasetSpec) -> tuple[str, ...]:
    if spec.problem:
        where = f"✗ {spec.problem}"
    elif spec.directory is None:
        where = f"not fetched: mlpzoo data fetch {spec.name}"
    else:
        where = str(spec.directory)
    size = f"{spec.size_bytes / 1e6:.2f} MB"
    return (spec.name, spec.kind, spec.system, str(spec.n_frames), size, spec.licence, where)


def find_directory(target: str) -> Path:
    """The directory of a name, or the target itself if it is one.

    Raises:
        DataError: Neither a directory nor a data set that is on this machine.
    """
    from pathlib import Path

    from mlpzoo.data.crystal import CRYSTAL_NAME
    from mlpzoo.data.manifest import MANIFEST_NAME
    from mlpzoo.errors import DataError

    named = _registered()
    path = Path(target)
    if target in named and not any((path / name).is_file() for name in (MANIFEST_NAME, CRYSTAL_NAME)):
        directory = named[target].directory
        if directory is None:
            problem = named[target].problem or f"data set '{target}' is not on this machine"
            raise DataError(problem, hint=f"mlpzoo data fetch {target}")
        return directory
    if not path.is_dir():
        raise DataError(f"'{target}' is neither a data set nor a directory", hint="see 'mlpzoo data list'")
    return path


def _crystal_summary(directory: Path) -> list[str]:
    """The crystal and its references, each with its level of theory and source.

    Raises:
        DataError: One of them is for an unknown quantity or in another unit.
    """
    from mlpzoo.data.crystal import CRYSTAL_NAME, REFERENCES_NAME, read_crystal, read_references
    from mlpzoo.errors import DataError
    from mlpzoo.registry import default_registry

    crystal, path = read_crystal(directory / CRYSTAL_NAME), directory / REFERENCES_NAME
    lines = [
        f"{crystal.name}: {crystal.title}",
        f"  kind       crystal, system {crystal.system}, {crystal.symbol}, {crystal.structure}",
        f"  lattice    {crystal.lattice_constant_ang:g} Å, melts at {crystal.melting_temperature_kelvin:g} K",
        f"  licence    {crystal.licence}; {crystal.citation}",
    ]
    registry = default_registry()
    for value in read_references(path):
        where = f"{value.benchmark} · {value.case}: {value.quantity}"
        note = " (no such benchmark here)"
        if value.benchmark in registry.benchmarks:
            spec = registry.benchmark(value.benchmark).item
            units = {q.name: q.unit for q in spec.quantities if q.better == "closer"}
            if units.get(value.quantity) != value.unit:
                raise DataError(f"{path}: {where} in '{value.unit}'", hint=f"its quantities: {units}")
            note = "" if value.case in {c.name for c in registry.cases(spec)} else " (no such case here)"
        number = f"{value.value:g} {value.unit}, {value.level_of_theory}"
        lines.append(f"  reference  {where} = {number}, {value.source}{note}")
    return [*lines, "  valid"]


def _summary(dataset: Dataset) -> list[str]:
    """The data set in a few lines, with units."""
    import numpy as np

    spec = dataset.spec
    sizes = [len(atoms) for atoms in dataset.frames]
    lines = [
        f"{spec.name}: {spec.title}",
        f"  kind       {spec.kind}, system {spec.system}, elements {' '.join(spec.elements)}",
        f"  licence    {spec.licence}; {spec.citation}",
        f"  frames     {len(dataset)} of {min(sizes)} to {max(sizes)} atoms, {sum(sizes)} atoms",
    ]
    if dataset.re_mask is not None:
        masks = dataset.re_mask
        n_atoms, n_frames = (
            sum(int(mask.sum()) for mask in masks),
            sum(bool(m.any()) for m in masks),
        )
        lines.append(f"  RE atoms   {n_atoms} in {n_frames} frames")
    reference = np.concatenate(dataset.forces)
    names = [spec.reference.level, *dataset.levels]
    columns = [dataset.forces, *(level.forces for level in dataset.levels.values())]
    has_energy = [dataset.energies, *(level.energies for level in dataset.levels.values())]
    for name, forces, energies in zip(names, columns, has_energy, strict=True):
        flat = np.concatenate(forces)
        norms = np.linalg.norm(flat, axis=1)
        line = f"  level      {name}: |F| {norms.min():.3f} to {norms.max():.3f} eV/Å, "
        line += "with energies" if energies is not None else "no energies"
        if name != spec.reference.level:
            rmse = float(np.sqrt(np.mean((flat - reference) ** 2)))
            line += f", component RMSE to {spec.reference.level} {rmse:.3f} eV/Å"
        lines.append(line)
    lines += [f"  sha256     {entry.sha256}  {entry.path}" for entry in spec.files]
    return [*lines, f"  sha256     {dataset.sha256}  the whole set", "  valid"]
