"""What of Allegro's training is its own: the model.  Importing this imports NequIP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlpzoo_nequip.training import Architecture

if TYPE_CHECKING:
    from mlpzoo.training import TrainingJob


def _model(job: TrainingJob) -> dict[str, Any]:
    settings = job.settings
    width = settings["scalar_features"]
    return {
        "_target_": "allegro.model.AllegroModel",
        "l_max": settings["l_max"],
        "parity": settings["parity"],
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": settings["bessels"],
        },
        "radial_chemical_embed_dim": width,
        "scalar_embed_mlp_hidden_layers_width": width,
        "num_layers": settings["layers"],
        "num_scalar_features": width,
        "num_tensor_features": settings["tensor_features"],
        "allegro_mlp_hidden_layers_width": width,
        "readout_mlp_hidden_layers_width": width,
    }


ALLEGRO: Final = Architecture(
    title=lambda job: (
        f"Allegro, {job.settings['layers']} layers, l_max {job.settings['l_max']}, "
        f"{job.settings['scalar_features']} scalar and {job.settings['tensor_features']} tensor features"
    ),
    reach=lambda job: (
        f"Strictly local: an atom's energy depends on no other beyond {job.settings['cutoff_ang']:g} Å."
    ),
    citation="Allegro: Musaelian et al., Nat. Commun. 14, 579 (2023), doi:10.1038/s41467-023-36329-y",
    model=_model,
)
