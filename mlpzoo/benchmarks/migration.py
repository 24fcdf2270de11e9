"""What the two migration benchmarks share: quantities, settings, and what a path becomes in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlpzoo.benchmark import Outcome, Profile, Quantity
from mlpzoo.benchmarks.crystals import force_tolerance

if TYPE_CHECKING:
    from mlpzoo.physics.neb import NebSettings, Path
    from mlpzoo.physics.relax import Relaxed

_IMAGES: dict[Profile, int] = {"smoke": 5, "standard": 7, "paper": 9}
_ITERATIONS: dict[Profile, int] = {"smoke": 150, "standard": 300, "paper": 300}
UNEQUAL_MEV = 5.0  # end points of a symmetric hop may differ by what fmax leaves

QUANTITIES = (
    Quantity(name="migration_barrier", unit="eV", title="E_m", better="closer"),
    Quantity(name="reverse_barrier", unit="eV", title="E_m back", better="none", shown=False),
    Quantity(name="endpoint_difference", unit="meV", title="ΔE ends", decimals=1, better="none"),
    Quantity(name="max_force", unit="eV/Å", title="max force", better="none"),
    Quantity(name="path_length", unit="Å", title="path", decimals=2, better="none", shown=False),
    Quantity(name="n_iterations", unit="", title="iterations", decimals=0, better="none", shown=False),
    Quantity(name="n_images", unit="", title="images", decimals=0, better="none", in_heading=True),
    Quantity(name="n_atoms", unit="", title="atoms", decimals=0, better="none", in_heading=True),
)


def neb_settings(profile: Profile, seed: int) -> NebSettings:
    """Half the force that relaxations may leave: the saddle's error is second order in it, but not small."""
    from mlpzoo.physics.neb import NebSettings

    return NebSettings(
        n_images=_IMAGES[profile],
        fmax_ev_per_ang=force_tolerance(profile) / 2,
        max_iterations=_ITERATIONS[profile],
        seed=seed,
    )


def outcome(path: Path, initial: Relaxed, final: Relaxed, remarks: list[str]) -> Outcome:
    """The path in a table; everything that makes its barrier less than certain is in the message."""
    difference = 1e3 * (final.energy_ev - initial.energy_ev)
    if abs(difference) > UNEQUAL_MEV:
        remarks.append(
            f"the ends are equivalent by symmetry but differ by {difference:.1f} meV: "
            "one of them relaxed into another structure"
        )
    depth = path.intermediate_minimum_ev
    if depth is not None:
        remarks.append(f"the path leads through a minimum {-1e3 * depth:.0f} meV below its ends")
    elif path.minima_ev:
        above = ", ".join(f"{energy:.3f}" for energy in path.minima_ev)
        what = "a minimum" if len(path.minima_ev) == 1 else "minima"
        remarks.append(f"the path leads through {what} {above} eV above its ends")
    for start, found in path.by_start_ev.items():
        if isinstance(found, str):
            remarks.append(f"from the {start} start {found}")
        elif found > path.barrier_ev + 1e-3 * UNEQUAL_MEV:
            remarks.append(f"from the {start} start the barrier is {found:.3f} eV")
    arrays: dict[str, Any] = {
        "positions_ang": path.positions_ang,
        "energies_ev": path.energies_ev,
        "coordinate_ang": path.coordinate_ang,
        "cell_ang": initial.atoms.cell.array,
        "numbers": initial.atoms.numbers,
    }
    return Outcome(
        values={
            "migration_barrier": path.barrier_ev,
            "reverse_barrier": path.reverse_barrier_ev,
            "endpoint_difference": difference,
            "max_force": path.fmax_ev_per_ang,
            "path_length": float(path.coordinate_ang[-1]),
            "n_iterations": float(path.n_iterations),
            "n_images": float(len(path.energies_ev)),
            "n_atoms": float(len(initial.atoms)),
        },
        arrays=arrays,
        message="; ".join(remarks),
    )


def draw(rows: dict[str, Any], floors: dict[str, Any], title: str) -> Any:
    """Energies along the paths; matplotlib is imported when it is wanted."""
    from mlpzoo.benchmarks import path_figure

    del floors
    curves = {
        name: (arrays["coordinate_ang"], arrays["energies_ev"] - arrays["energies_ev"][0])
        for name, arrays in rows.items()
    }
    return path_figure.draw(curves, {}, title)
