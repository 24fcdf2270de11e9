"""Chemical elements, for cards: without importing ASE, which listings of models must not need."""

from __future__ import annotations

from typing import Final

_IN_ORDER: Final = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr
Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
SYMBOLS: Final = tuple(_IN_ORDER.split())
"""All, in the order of their atomic numbers; hydrogen is the first."""

OF_MATERIALS: Final = tuple(
    symbol for symbol in SYMBOLS[: SYMBOLS.index("Pu") + 1] if symbol not in {"Po", "At", "Rn", "Fr", "Ra"}
)
"""The 89 that the Materials Project's structures hold, and the data sets made after it (MPtrj, OMat24)."""
