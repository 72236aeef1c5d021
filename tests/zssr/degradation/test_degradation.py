"""Degradation: sons go the way their source went, and nothing holds a result to its faults."""

from typing import Any

import pytest
import torch

from tests.parts.zssr_pictures import CAMERA, grainy, jpeg, load, noised, psnr_db, quick, texture
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.degradation.noise_shape import NoiseShape
from zssr_daemon.zssr.estimation.noise_estimate import estimate_noise, estimate_noise_std
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.pipeline import Step, super_resolve
from zssr_daemon.zssr.scale import scaled_size
from zssr_daemon.zssr.training.weights import compatibility_key

NOISY, COMPRESSED = Degradation(noise_std=10.0), Degradation(jpeg_quality=40)


@pytest.mark.parametrize(
    ("key", "value"),
    [("noise_std", -1), ("noise_std", 101), ("noise_std", float("nan")), ("jpeg_quality", 0)],
)
def test_numbers_outside_their_ranges_are_refused(key: str, value: float) -> None:
    """The message names key and value."""
    with pytest.raises(ValueError, match=f"{key} = {value}: must be from"):
        Degradation(**{key: value})  # type: ignore[arg-type]


def test_the_more_noise_the_less_back_projection() -> None:
    """Strong noise and compression get none, and a clean source what was asked for."""
    config = quick(back_projections=8, ensemble_back_projections=4)
    assert IDEAL.adapted(config) is config
    noisy = [Degradation(noise_std=std).adapted(config) for std in (1.0, 2.0, 3.0, 5.0, 10.0)]
    assert [each.back_projections for each in noisy] == [6, 4, 2, 1, 0]
    assert [each.ensemble_back_projections for each in noisy] == [3, 2, 1, 1, 0]
    compressed = COMPRESSED.adapted(config)
    assert (compressed.back_projections, compressed.ensemble_back_projections) == (0, 0)


def test_sons_are_spoilt_as_their_source_was() -> None:
    """As noisy as it is, and compressed like it."""
    son, generator = load("butterfly_hr.png"), torch.Generator().manual_seed(0)
    noisy = NOISY.spoilt(son, is_rounded=True, generator=generator)
    assert estimate_noise_std(noisy) == pytest.approx(10, rel=0.125)
    torch.testing.assert_close(noisy * 255, (noisy * 255).round())
    compressed = COMPRESSED.spoilt(son, is_rounded=True, generator=None)
    assert psnr_db(compressed, jpeg(son, 40)) > psnr_db(compressed, son) + 8


def test_sons_have_noise_of_the_same_shape() -> None:
    """What is measured in a son is what was measured in its source."""
    shape = NoiseShape(CAMERA.spectra)
    spoilt = Degradation(noise_std=6.0, noise_shape=shape).spoilt(
        torch.full((3, 256, 256), 0.5), is_rounded=True, generator=torch.Generator().manual_seed(0)
    )
    std, found = estimate_noise(spoilt)
    assert std == pytest.approx(6, rel=0.1)
    for plane, true in zip(found.spectra, CAMERA.spectra, strict=True):
        assert plane == pytest.approx(true, rel=0.3)


@pytest.mark.parametrize("degradation", [NOISY, COMPRESSED])
def test_knowing_the_fault_pays(degradation: Degradation) -> None:
    """The result is better than bicubic and than what the source gives when taken for clean."""
    truth, source = load("butterfly_hr.png"), load("butterfly_lr.png")
    source = noised(source, 10) if degradation is NOISY else jpeg(source, 40)
    config = quick(num_epochs=300, crop_size=32, self_ensemble=8)
    knowing, ideal = (
        super_resolve(source, config, device="cpu", degradation=each).image
        for each in (degradation, IDEAL)
    )
    bicubic = resize(source, (256, 256), 2.0).clamp(0, 1)
    assert psnr_db(knowing, truth) > max(psnr_db(ideal, truth), psnr_db(bicubic, truth)) + 0.5


def test_noise_is_not_pulled_back_in() -> None:
    """Of the noise of one colour nearly nothing is in the result; it was when taken for clean."""
    source = noised(torch.full((3, 48, 48), 0.5), 10)
    stds = [
        float(super_resolve(source, quick(), device="cpu", degradation=each).image.std() * 255)
        for each in (NOISY, IDEAL)
    ]
    assert stds[0] < 2
    assert stds[1] > 6


@pytest.mark.parametrize(
    "overrides",
    [
        {"scale_factor": 3.0},
        {"scale_factor": 1.5, "scale_times": 2, "rounds": 2},
        {"model_variant": "paper", "augmentation": "affine", "son_rounding": False},
        {"ensemble_back_projections": 1, "self_ensemble": 4},
        {"in_channels": 1},
        {"in_channels": 3},
    ],
)
@pytest.mark.parametrize("size", [(1, 37, 45), (3, 37, 45), (3, 1, 1)])
def test_every_way_of_enlarging_takes_it(
    overrides: dict[str, Any], size: tuple[int, int, int]
) -> None:
    """Noise and compression together; the same call gives the same bytes; progress never falls."""
    image = texture(size[1], size[2], size[0]) * 0.6 + 0.2
    degradation = Degradation(noise_std=5.0, jpeg_quality=60)
    config = quick(num_epochs=12, **overrides)
    steps: list[Step] = []
    first = super_resolve(
        image, config, device="cpu", degradation=degradation, on_step=steps.append
    ).image
    assert first.shape == (size[0], *scaled_size(size[1:], config.total_scale))
    assert bool(first.isfinite().all())
    again = super_resolve(image, config, device="cpu", degradation=degradation).image
    assert torch.equal(first, again)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("overrides", [{}, {"in_channels": 1}, {"in_channels": 3}])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_way_of_enlarging_takes_shaped_noise(
    overrides: dict[str, Any], channels: int
) -> None:
    """Whether the network sees colours together, apart, or grey as colours."""
    shape = CAMERA if channels == 3 else NoiseShape(CAMERA.spectra[:1])
    image = grainy(texture(37, 45, channels) * 0.6 + 0.2, 6, shape)
    degradation = Degradation(noise_std=6.0, noise_shape=shape)
    config = quick(num_epochs=12, **overrides)
    result = super_resolve(image, config, device="cpu", degradation=degradation).image
    assert result.shape == (channels, 74, 90)
    assert bool(result.isfinite().all())


def test_weights_know_what_they_were_fitted_for() -> None:
    """Noise to a whole level, which is near enough for a start; and clean is what it was."""
    keys = [
        compatibility_key(quick(), 3, each)
        for each in (
            IDEAL,
            NOISY,
            Degradation(noise_std=10.3),
            Degradation(noise_std=12.0),
            COMPRESSED,
        )
    ]
    assert keys[0] == compatibility_key(quick(), 3)
    assert keys[1] == keys[2]
    assert len(set(keys)) == 4
