"""Presets: named sets of parameters.

Standard library only, as `config` is.
"""

# Differences from the defaults of ZSSRConfig, which are `balanced`.
PRESETS: dict[str, dict[str, object]] = {
    "instant": {
        # Beyond this size it would no longer be quick: inference is nearly all of its time.
        "pairs_max_pixels": 512 * 512,
        "num_epochs": 900,
        "warm_num_epochs": 32,
        "rounds": 1,
        "self_ensemble": False,
        "back_projections": 2,
    },
    "fast": {
        "model_pairs": 0,
        "num_epochs": 900,
        "warm_num_epochs": 200,
        "rounds": 2,
        "back_projections": 4,
    },
    "balanced": {},
    "best": {
        "num_epochs": 11000,
        "warm_num_epochs": 2000,
        "rounds": 4,
        "self_ensemble": True,
    },
    # The published algorithm (arXiv 1712.06087) with one jump to the scale, for comparison.
    "paper": {
        "max_pass_scale": 8.0,
        "start": "none",
        "alias_guard": False,
        "faint_residual": 0.0,
        "augmentation": "affine",
        "son_rounding": False,
        "model_variant": "paper",
        "model_width": 64,
        "model_depth": 8,
        "model_pairs": 0,
        "lr": 1e-3,
        "lr_schedule": "plateau",
        "adam_beta2": 0.999,
        "max_gradient_norm": 0.0,
        "num_epochs": 3000,
        "warm_num_epochs": 900,
        "crop_size": 128,
        "batch_size": 1,
        "rounds": 1,
        "self_ensemble": True,
        "ensemble_reduce": "median",
        "ensemble_back_projections": 10,
        "back_projections": 10,
        "patch_size": 128,  # its layers are four times larger
    },
}
