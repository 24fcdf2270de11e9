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
        "sample": ("mlpzoo.cli.data_make:sample", "Make structures that are worth labelling."),
        "events": ("mlpzoo.cli.data_events:events", "Find the migration events of a trajectory."),
        "label": ("mlpzoo.cli.data_label:label", "Label structures with DFT; resumable, several may share."),
        "engines": ("mlpzoo.cli.data_label:engines", "List the DFT programs and their levels of theory."),
        "levels": ("mlpzoo.cli.data_label:levels", "Compare levels of theory on the same structures."),
        "build": ("mlpzoo.cli.data_make:build", "Assemble labelled structures into a data set."),
        "adopt": ("mlpzoo.cli.data_make:adopt", "Put a data set's structures and labels into a queue."),
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
def data() -> None:
    """Data sets of benchmarks: extended XYZ frames with a dataset.toml that says where they come from.

    MLPZOO_MIRROR names a local mirror of public data (directory or URL, owner/repo/commit/path).
    """
