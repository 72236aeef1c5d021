"""The pipeline: any image in, the enlarged image out, and the truth about how it went."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.parts.zssr_pictures import PAPER, floor_of, load, psnr_db, quick, run, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.pipeline import Step, super_resolve
from zssr_daemon.zssr.scale import Scale, scaled_size


@pytest.mark.slow
def test_short_fit_beats_bicubic_on_a_real_picture() -> None:
    """A third of the fast preset gains more than 1.5 dB over bicubic with back-projection."""
    source, truth = load("butterfly_lr.png"), load("butterfly_hr.png")
    config = ZSSRConfig.from_preset("fast", num_epochs=300, start="none")
    result, _ = run(source, config)
    assert not result.is_fallback
    assert result.iterations == 300
    assert psnr_db(result.image, truth) > psnr_db(floor_of(source, config), truth) + 1.5
    assert result.psnr_network_db is not None
    assert result.psnr_bicubic_db is not None
    assert result.psnr_network_db > result.psnr_bicubic_db


def test_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    """Determinism, whatever the global generator was doing, which is not touched."""
    image = texture(40, 48)
    torch.manual_seed(1)
    first, _ = run(image, quick(precision="auto"))
    state = torch.random.get_rng_state()
    torch.rand(3)
    again, _ = run(image, quick(precision="auto"))
    torch.manual_seed(1)
    assert torch.equal(state, torch.random.get_rng_state())
    other, _ = run(image, quick(precision="auto", seed=1))
    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.image, other.image)


@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(3, 1, 1), (1, 1, 1), (3, 1, 20), (3, 20, 1), (3, 3, 5), (1, 2, 2), (3, 17, 31), (1, 40, 33)],
)
@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5])
def test_any_size_gives_the_exact_output_size(
    channels: int, height: int, width: int, scale: float
) -> None:
    """Float32, in [0, 1], on the CPU, of the size that `output_size` foretells."""
    config = quick(scale_factor=scale, num_epochs=4)
    image = texture(height, width, channels)
    result, _ = run(image, config)
    out_width, out_height = config.output_size(width, height)
    assert (channels, out_height, out_width) == tuple(result.image.shape)
    assert torch.float32 == result.image.dtype
    assert result.image.isfinite().all()
    assert 0 <= float(result.image.min()) <= float(result.image.max()) <= 1


@pytest.mark.parametrize("image", [torch.full((3, 20, 20), 0.2), torch.rand(3, 1, 1)])
def test_nothing_to_learn_falls_back_at_once(image: torch.Tensor) -> None:
    """One colour or one pixel: no fit, the colours kept, and said so."""
    result, _ = run(image, quick())
    assert result.is_fallback
    assert (result.iterations, result.restarts) == (0, 0)
    assert result.psnr_network_db is None
    assert result.psnr_bicubic_db is None
    expected = image.mean(dim=(1, 2))
    torch.testing.assert_close(result.image.mean(dim=(1, 2)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "overrides",
    [
        {"rounds": 3},
        {"scale_times": 2},
        {"in_channels": 1},
        {"lr_schedule": "plateau"},
        {"augmentation": "affine", "rounds": 2},
        {"ensemble_back_projections": 2, "self_ensemble": 4, "rounds": 2},
        {"scale_factor": (1.5, 2.0), "scale_times": 2, "rounds": 2},
    ],
)
def test_progress_rises_to_one(overrides: dict[str, Any]) -> None:
    """Every iteration and tile reports; fractions never fall, start near 0 and end at 1."""
    result, steps = run(texture(40, 48), quick(patch_size=16, **overrides))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.05
    assert pytest.approx(fractions[-1]) == 1
    assert result.iterations == sum(step.stage == "fit" for step in steps)
    assert all(0 <= step.step <= step.steps for step in steps)
    assert all(
        step.loss is not None and step.lr is not None for step in steps if step.stage == "fit"
    )
    assert steps[-1].stage == "infer"


@pytest.mark.parametrize("lr_schedule", ["cosine", "plateau"])
def test_a_fit_of_seconds_ends_with_them(lr_schedule: str) -> None:
    """Whatever num_epochs says; each round has an iteration; fractions rise to one."""
    config = quick(
        budget="seconds", fit_budget_s=0.2, num_epochs=3, rounds=2, lr_schedule=lr_schedule
    )
    result, steps = run(texture(40, 48), config)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert pytest.approx(fractions[-1]) == 1
    assert all(0 <= step.step <= step.steps for step in steps)
    assert result.iterations >= 2
    assert result.seconds["fit"] >= 0.2


def test_long_calculations_report_too() -> None:
    """No silence as long as ten corrections of a large picture: each pass is a sign of life.

    A fallback has no tiles, and reports as one.
    """
    image = texture(24, 24)
    for config in (quick(num_epochs=4), quick(num_epochs=4, lr=10.0)):
        few, many = (
            [step.step for step in run(image, replace(config, back_projections=times))[1]]
            for times in (2, 10)
        )
        assert len(many) == len(few) + 8
        assert many[-10:] == [1] * 10


def test_more_seconds_are_more_iterations() -> None:
    """The knob does something."""
    few, many = (
        run(texture(40, 48), quick(budget="seconds", fit_budget_s=seconds))[0].iterations
        for seconds in (0.05, 1.0)
    )
    assert few < many


@pytest.mark.parametrize("stage", ["fit", "infer"])
def test_exception_of_on_step_ends_the_call(stage: str) -> None:
    """That is how a job is cancelled; nothing swallows it, not even an ArithmeticError."""

    def cancel(step: Step) -> None:
        if step.stage == stage:
            raise FloatingPointError("cancelled")

    with pytest.raises(FloatingPointError, match="cancelled"):
        super_resolve(texture(24, 24), quick(), device="cpu", on_step=cancel)


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(2, 4, 4),
        torch.zeros(4, 4),
        torch.zeros(3, 0, 4),
        torch.zeros(3, 4, 4, dtype=torch.float64),
        torch.zeros(3, 4, 4, dtype=torch.uint8),
    ],
)
def test_wrong_tensors_are_refused(image: torch.Tensor) -> None:
    """Shape and dtype are the caller's duty."""
    with pytest.raises(ValueError, match=r"image (shape|dtype)"):
        super_resolve(image, quick(), device="cpu")


def test_grey_image_through_three_channels_stays_grey() -> None:
    """in_channels 3 on one channel: repeated, then averaged; on RGB it is what auto does."""
    grey, rgb = texture(24, 24, 1), texture(24, 24)
    assert run(grey, quick(in_channels=3))[0].image.shape[0] == 1
    auto, three = (run(rgb, quick(in_channels=channels))[0] for channels in ("auto", 3))
    assert torch.equal(auto.image, three.image)


def test_one_channel_network_treats_colours_alike() -> None:
    """in_channels 1 on RGB: swapping the colours of the source swaps those of the result."""
    image = texture(24, 24)
    image[2] = image[1]
    result, _ = run(image, quick(in_channels=1))
    assert not result.is_fallback
    torch.testing.assert_close(result.image[1], result.image[2], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "overrides",
    [
        {"scale_factor": 3.0},
        {"scale_times": 2},
        {"in_channels": 1},
        {"scale_factor": (2.0, 1.5)},
        {"augmentation": "affine"},
        {"son_rounding": False},
        {"model_variant": "paper"},
        {"adam_beta2": 0.999},
        {"max_gradient_norm": 0.0},
        {"ensemble_back_projections": 1, "back_projections": 0},
        {"model_width": 8},
        {"model_depth": 3},
        {"model_kernel_size": 5},
        {"lr": 2e-3},
        {"lr_schedule": "plateau"},
        {"lr_stop": 2e-3},
        {"num_epochs": 50},
        {"crop_size": 24},
        {"batch_size": 2},
        {"rounds": 2},
        {"self_ensemble": 4},
        {"self_ensemble": 8},
        {"back_projections": 1},
        {"precision": "bf16"},
        {"seed": 3},
    ],
)
def test_every_parameter_has_an_effect(overrides: dict[str, Any]) -> None:
    """A key that changed nothing would be a lie in settings.toml."""
    image = texture(40, 48)
    assert not torch.equal(run(image, quick())[0].image, run(image, quick(**overrides))[0].image)


@pytest.mark.parametrize(
    "overrides",
    [
        {"lr_decay": 2.0},
        {"lr_decay_ratio": 0.01},
        {"lr_decay_range": 28},
        {"lr_decay_step": 5},
        {"reconstruct_step": 2},
    ],
)
def test_every_parameter_of_the_plateau_schedule_has_an_effect(overrides: dict[str, Any]) -> None:
    """The rates of the iterations differ."""
    base = {
        "lr_schedule": "plateau",
        "lr_decay_step": 4,
        "lr_decay_range": 12,
        "lr_decay_ratio": 0.4,
        "reconstruct_step": 4,
        "num_epochs": 60,
        "lr": 1e-2,
    }
    plain, changed = (
        [step.lr for step in run(texture(40, 48), quick(**values))[1]]
        for values in (base, base | overrides)
    )
    assert plain != changed


def test_median_and_tile_size_are_followed() -> None:
    """The reduction changes pixels; a smaller patch changes only the number of tiles."""
    image = texture(40, 48)
    mean, steps = run(image, quick(self_ensemble=True))
    median, _ = run(image, quick(self_ensemble=True, ensemble_reduce="median"))
    tiled, more_steps = run(image, quick(self_ensemble=True, patch_size=16))
    assert not torch.equal(mean.image, median.image)
    torch.testing.assert_close(mean.image, tiled.image, rtol=0, atol=1e-5)
    assert len(more_steps) == len(steps) + 3 * 3 - 1


def test_large_image_is_fitted_on_a_bounded_part() -> None:
    """The work of a fit does not grow with the image: the same iterations, the right size."""
    image = texture(600, 700)
    result, _ = run(image, quick(num_epochs=90))
    assert result.iterations == 90
    assert tuple(result.image.shape) == (3, 1200, 1400)


@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(3, 1, 1), (1, 1, 1), (3, 1, 40), (1, 40, 1), (3, 2, 3), (1, 33, 29), (3, 300, 2)],
)
@pytest.mark.parametrize("scale", [8.0, (2.0, 3.0), (1.5, 1.0), (1.0, 8.0)])
@pytest.mark.parametrize("overrides", [{}, PAPER], ids=["compact", "paper"])
def test_odd_sizes_and_scales(
    channels: int, height: int, width: int, scale: Scale, overrides: dict[str, Any]
) -> None:
    """One pixel, one row, one column, one channel; scale 8 and scales that differ."""
    config = quick(scale_factor=scale, num_epochs=4, rounds=2, **overrides)
    result = super_resolve(texture(height, width, channels), config, device="cpu")
    assert (channels, *scaled_size((height, width), scale)) == tuple(result.image.shape)
    assert result.image.isfinite().all()
    assert 0 <= float(result.image.min()) <= float(result.image.max()) <= 1


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_pictures_of_two_extremes_only(precision: str) -> None:
    """Black and white in a checkerboard, the hardest to enlarge: finite and in range."""
    board = ((torch.arange(24)[:, None] + torch.arange(24)) % 2).float().expand(3, -1, -1)
    result = super_resolve(board.contiguous(), quick(precision=precision), device="cpu")
    assert result.image.isfinite().all()
    assert 0 <= float(result.image.min()) <= float(result.image.max()) <= 1
