"""How GAPs are fitted: complete settings, without importing quippy."""

from __future__ import annotations

from typing import Final

from mlpzoo.training import Preset, Setting

SMALL: Final = Preset(
    title="pairs and SOAP, 600 sparse points: 2 to 3 minutes of one core and 3 GB for 200 frames of 60 atoms",
    settings={
        "cutoff_ang": Setting(value=5.0, meaning="of pairs and SOAP, Å"),
        "cutoff_width_ang": Setting(value=1.0, meaning="over which it fades, Å"),
        "n_max": Setting(value=8, meaning="radial functions of SOAP"),
        "l_max": Setting(value=6, meaning="highest spherical harmonic of SOAP"),
        "atom_sigma_ang": Setting(value=0.5, meaning="width of an atom's density, Å"),
        "zeta": Setting(value=4, meaning="power of the SOAP kernel"),
        "n_sparse": Setting(value=600, meaning="sparse points of SOAP for each element, chosen by CUR"),
        "soap_delta_ev": Setting(value=1.0, meaning="energy scale of SOAP, eV an atom"),
        "pair_n_sparse": Setting(value=20, meaning="sparse points for each pair of elements; 0: no pairs"),
        "pair_delta_ev": Setting(value=1.0, meaning="energy scale of pairs, eV a pair"),
        "energy_sigma_ev": Setting(value=0.001, meaning="expected error of energies, eV an atom"),
        "force_sigma_ev_per_ang": Setting(value=0.05, meaning="expected error of forces, eV/Å"),
        "virials_every": Setting(value=0, meaning="frames one virial is learnt; 0: none, to save memory"),
        "virial_sigma_ev": Setting(value=0.02, meaning="expected error of virials, eV an atom"),
        "sparse_jitter": Setting(value=1e-8, meaning="added to the diagonal of the sparse covariance"),
    },
)
PRESETS: Final = {
    "smoke": SMALL.but(
        "30 sparse points and a short SOAP vector, seconds: to try whether it works",
        cutoff_ang=4.0,
        n_max=4,
        l_max=3,
        n_sparse=30,
        virials_every=1,
        pair_n_sparse=10,
    ),
    "small": SMALL,
}
