"""How linear ACE models are fitted: complete settings, without importing pyace."""

from __future__ import annotations

from typing import Final

from mlpzoo.training import Preset, Setting

SMALL: Final = Preset(
    title="the size of ace/si-small: half a minute of one core for 250 structures of up to 65 atoms",
    settings={
        "cutoff_ang": Setting(value=5.0, meaning="interaction cutoff, Å"),
        "functions": Setting(value=300, meaning="basis functions of each element, at most"),
        "n_max": Setting(value="15 6 4 3 2", meaning="radial functions of the bodies 2, 3, ... (by order)"),
        "l_max": Setting(value="0 4 3 2 1", meaning="highest angular momentum of the bodies 2, 3, ..."),
        "radial_exponent": Setting(value=5.25, meaning="parameter of the simplified Bessel functions"),
        "energy_weight": Setting(value=100.0, meaning="of an energy per atom (eV); a force (eV/Å) has 1"),
        "stress_weight": Setting(value=3.0, meaning="of a component of the virial per atom (eV)"),
        "ridge": Setting(value=1e-6, meaning="of the mean diagonal of the normal matrix"),
        "core": Setting(
            value=0.95,
            meaning="of the shortest distance of two elements: nearer, ZBL repulsion takes over; 0: never",
        ),
    },
)
PRESETS: Final = {
    "smoke": SMALL.but("60 functions, seconds: to try whether it works", functions=60),
    "small": SMALL,
    "large": SMALL.but(
        "a few minutes: 700 functions",
        functions=700,
        n_max="15 8 5 4 2",
        l_max="0 6 4 3 1",
    ),
}
