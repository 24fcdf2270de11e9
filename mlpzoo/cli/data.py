"""``mlpzoo data``: fetch, check and make data sets."""

from __future__ import annotations

import click

from mlpzoo.cli import Lazy


@click.group(
    cls=Lazy,
    table={
        "list": ("mlpzoo.cli.data_fetch:list_", "List the data sets, embedded and public."),
        "fetch": ("mlpzoo.cli.data_fetch:fetch", "Fetch public data sets, checked by sha256."),
        "verify": ("mlpzoo.cli.data_fetch:verify", "Check a data set: hashes, columns, geometry, units."),
        "sample": ("mlpzoo.cli.data_make:sample", "MD with a model; keep snapshots with migrating atoms."),
        "label": ("mlpzoo.cli.data_make:label", "Label snapshots with DFT; resumable, several may share."),
        "build": ("mlpzoo.cli.data_make:build", "Assemble labelled snapshots into a data set."),
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
def data() -> None:
    """Data sets of benchmarks: extended XYZ frames with a dataset.toml that says where they come from.

    MLPZOO_MIRROR names a local mirror of public data (directory or URL, owner/repo/commit/path).
    """
