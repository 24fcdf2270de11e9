"""The LAMMPS lines of each card.  The files that they name come with LAMMPS, in its potentials folder."""

from __future__ import annotations

from typing import Final

_ZUO: Final = ("Si", "Cu", "Ge", "Li", "Mo", "Ni")


def _snap(symbol: str, kind: str = "") -> str:
    """One of the SNAP potentials of Zuo et al."""
    stem = f"{symbol}_Zuo_JPCA2020{kind}"
    return f"pair_style snap\npair_coeff * * {stem}.snapcoeff {stem}.snapparam {symbol}\n"


SHIPPED: Final = {
    **{f"lammps/{symbol.lower()}-snap": _snap(symbol) for symbol in _ZUO},
    **{f"lammps/{symbol.lower()}-qsnap": _snap(symbol, ".quadratic") for symbol in _ZUO},
    "lammps/si-sw": "pair_style sw\npair_coeff * * Si.sw Si\n",
    "lammps/si-tersoff": (
        "labelmap atom 1 Si\n"  # the file's own name of T3 is Si(C)
        "pair_style tersoff\npair_coeff * * SiCGe.tersoff Si(C)\n"
    ),
    "lammps/si-tersoff-t2": "pair_style tersoff\npair_coeff * * Si.tersoff Si\n",
    "lammps/si-tersoff-mod": "pair_style tersoff/mod\npair_coeff * * Si.tersoff.mod Si\n",
    "lammps/si-edip": "pair_style edip\npair_coeff * * Si.edip Si\n",
    "lammps/si-meam": (
        "labelmap atom 1 Si\n"  # the file's own name is Si92
        "pair_style meam\npair_coeff * * library.meam Si92 NULL Si92\n"
    ),
    "lammps/si-meam-spline": "pair_style meam/spline\npair_coeff * * Si_1.meam.spline Si\n",
    "lammps/sic-tersoff": "pair_style tersoff\npair_coeff * * SiC_1989.tersoff C Si\n",
}
