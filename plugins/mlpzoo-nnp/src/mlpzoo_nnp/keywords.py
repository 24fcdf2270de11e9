"""Which keywords of ``input.nn`` say what the potential is, and which only how it was trained."""

from __future__ import annotations

from typing import Final

POTENTIAL: Final = frozenset(
    {
        "number_of_elements",
        "elements",
        "atom_energy",
        "cutoff_type",
        "symfunction_short",
        "scale_symmetry_functions",
        "scale_symmetry_functions_sigma",
        "center_symmetry_functions",
        "scale_min_short",
        "scale_max_short",
        "global_hidden_layers_short",
        "global_nodes_short",
        "global_activation_short",
        "element_nodes_short",
        "normalize_nodes",
        "mean_energy",
        "conv_energy",
        "conv_length",
        "nnp_type",
        "nn_type",
    }
)
"""Everything here is read and acted on."""

REPEATED: Final = frozenset({"atom_energy", "symfunction_short", "element_nodes_short"})
"""Those that may stand in several lines."""

TRAINING: Final = frozenset(
    {
        "random_seed",
        "test_fraction",
        "epochs",
        "use_short_forces",
        "rmse_threshold",
        "rmse_threshold_energy",
        "rmse_threshold_force",
        "rmse_threshold_trials",
        "rmse_threshold_trials_energy",
        "rmse_threshold_trials_force",
        "short_energy_error_threshold",
        "short_force_error_threshold",
        "energy_fraction",
        "force_fraction",
        "short_energy_fraction",
        "short_force_fraction",
        "force_energy_ratio",
        "normalize_data_set",
        "use_old_weights_short",
        "weights_min",
        "weights_max",
        "nguyen_widrow_weights_short",
        "precondition_weights",
        "main_error_metric",
        "write_trainpoints",
        "write_trainforces",
        "write_weights_epoch",
        "write_neuronstats",
        "write_trainlog",
        "repeated_energy_update",
        "updater_type",
        "parallel_mode",
        "jacobian_mode",
        "update_strategy",
        "selection_mode",
        "selection_mode_energy",
        "selection_mode_force",
        "task_batch_size_energy",
        "task_batch_size_force",
        "gradient_type",
        "gradient_eta",
        "gradient_adam_eta",
        "gradient_adam_beta1",
        "gradient_adam_beta2",
        "gradient_adam_epsilon",
        "gradient_adam_weight_decay",
        "kalman_type",
        "kalman_epsilon",
        "kalman_eta",
        "kalman_etatau",
        "kalman_etamax",
        "kalman_q0",
        "kalman_qtau",
        "kalman_qmin",
        "kalman_lambda_short",
        "kalman_nue_short",
        "memorize_symfunc_results",
        "force_weight",
    }
)
"""Keywords of n2p2's trainer (its ``Settings`` class); a finished potential does not depend on them."""
