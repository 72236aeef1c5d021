"""The configuration: ranges, presets, sizes."""

import dataclasses
from typing import Any

import pytest

from zssr_daemon.zssr.config import LIMITS, ZSSRConfig
from zssr_daemon.zssr.limits import Range
from zssr_daemon.zssr.presets import PRESETS
from zssr_daemon.zssr.scale import Scale


def test_defaults_are_the_balanced_preset() -> None:
    """Every default stands once: balanced changes nothing."""
    assert ZSSRConfig.from_preset("balanced") == ZSSRConfig()


@pytest.mark.parametrize("preset", PRESETS)
def test_from_preset_applies_its_row_and_then_the_overrides(preset: str) -> None:
    """A given value beats the preset's, the preset's beats the default."""
    config = ZSSRConfig.from_preset(preset, seed=7, rounds=5)
    expected = {"preset": preset, **PRESETS[preset], "seed": 7, "rounds": 5}
    assert expected == {key: getattr(config, key) for key in expected}


def test_unknown_preset_is_refused_by_name() -> None:
    """The message tells the value and what is allowed."""
    with pytest.raises(ValueError, match=r"preset = 'quick'.*fast, balanced, best, paper"):
        ZSSRConfig.from_preset("quick")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale_factor", 1.0),
        ("scale_factor", 8.5),
        ("scale_factor", float("nan")),
        ("scale_factor", (1.0, 1.0)),
        ("scale_factor", (2.0, 0.5)),
        ("scale_factor", (2.0, 9.0)),
        ("scale_factor", (2.0, float("nan"))),
        ("scale_factor", (2.0, 2.0, 2.0)),
        ("scale_times", 0),
        ("max_pass_scale", 1.0),
        ("alias_guard", "yes"),
        ("faint_residual", -0.1),
        ("scale_times", 1.5),
        ("target", "4k"),
        ("in_channels", 2),
        ("model_width", 0),
        ("model_depth", 1),
        ("model_pairs", -1),
        ("pairs_max_pixels", -1),
        ("model_kernel_size", 4),
        ("lr", 0.0),
        ("lr", float("inf")),
        ("lr_schedule", "step"),
        ("lr_stop", -1e-6),
        ("lr_decay", 1.0),
        ("lr_decay_ratio", 0.0),
        ("lr_decay_range", 149),  # not three reconstruct_step
        ("reconstruct_step", 0),
        ("adam_beta2", 1.0),
        ("max_gradient_norm", -0.1),
        ("budget", "minutes"),
        ("fit_budget_s", 0.0),
        ("warm_num_epochs", 0),
        ("start", "photographs"),
        ("augmentation", "none"),
        ("son_rounding", "yes"),
        ("model_variant", "unet"),
        ("ensemble_back_projections", -1),
        ("lr_decay_step", 0),
        ("num_epochs", 0),
        ("crop_size", 4),
        ("batch_size", 0),
        ("rounds", 0),
        ("patch_size", 4),
        ("tileable", "both"),
        ("self_ensemble", 3),
        ("ensemble_reduce", "max"),
        ("back_projections", -1),
        ("precision", "fp16"),
        ("seed", -1),
        ("preset", "quick"),
        ("lr", float("nan")),
        ("adam_beta2", float("nan")),
        ("max_pass_scale", float("nan")),
    ],
)
def test_value_out_of_range_is_refused(key: str, value: Any) -> None:
    """The message names the key and the value."""
    with pytest.raises(ValueError, match=f"{key} = "):
        ZSSRConfig(**{key: value})


def test_every_field_has_a_refusal_tested() -> None:
    """A field added without a range fails here."""
    mark = next(m for m in test_value_out_of_range_is_refused.pytestmark)
    refused = {key for key, _ in mark.args[1]}
    assert {field.name for field in dataclasses.fields(ZSSRConfig)} == refused


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"lr": 11.0}, "lr = 11.0: must be above 0 and at most 10"),
        ({"rounds": 17}, "rounds = 17: must be a whole number from 1 to 16"),
        ({"faint_residual": 256.0}, "faint_residual = 256.0: must be from 0 to 255"),
        ({"budget": "days"}, "budget = 'days': must be one of iterations, seconds"),
        ({"self_ensemble": 2}, "self_ensemble = 2: must be one of False, True, 1, 4, 8"),
        (
            {"scale_factor": (2.0, 9.0)},
            r"scale_factor = \(2.0, 9.0\): a pair must be \(x, y\), each from 1 to 8, not both 1",
        ),
        ({"lr_decay_range": 149}, "lr_decay_range = 149: must be at least 150"),
    ],
)
def test_refusal_says_what_is_allowed(overrides: dict[str, Any], message: str) -> None:
    """In the words of the kind: a range, a whole number, a choice, a pair."""
    with pytest.raises(ValueError, match=f"^{message}"):
        ZSSRConfig(**overrides)


@pytest.mark.parametrize("key", [key for key, limit in LIMITS.items() if isinstance(limit, Range)])
def test_ends_of_a_range(key: str) -> None:
    """The upper end is allowed, what lies beyond either end is not."""
    limit = LIMITS[key]
    assert isinstance(limit, Range)
    assert limit.high in limit
    assert limit.high * 1.01 + 1 not in limit
    assert (limit.low in limit) == limit.is_low_allowed
    assert limit.low - 1 not in limit


@pytest.mark.parametrize(
    ("factor", "times", "source", "expected"),
    [
        (2.0, 1, (640, 481), (1280, 962)),
        (2.0, 3, (1, 5), (8, 40)),
        (1.5, 1, (1, 3), (2, 5)),  # 4.5 rounds up
        (1.5, 2, (101, 7), (227, 16)),  # 2.25 of the source, not 1.5 of a rounded 152
        (1.1, 1, (1, 4), (1, 4)),
        ((2.0, 3.0), 1, (5, 7), (10, 21)),  # width times x, height times y
        ((1.5, 1.0), 2, (101, 7), (227, 7)),
    ],
)
def test_output_size_is_the_rounded_total_scale(
    factor: Scale, times: int, source: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Sizes follow from the source alone, so steps do not add up their roundings."""
    config = ZSSRConfig(scale_factor=factor, scale_times=times)
    assert expected == config.output_size(*source)


@pytest.mark.parametrize(
    ("value", "expected"), [(True, 8), (False, 1), (0, 1), (1, 1), (4, 4), (8, 8)]
)
def test_ensemble_size_of_a_boolean_is_eight_or_one(value: Any, expected: int) -> None:
    """`self_ensemble = true` means all eight."""
    assert expected == ZSSRConfig(self_ensemble=value).ensemble_size


def test_x_and_y_scales_that_differ_leave_four_transformations() -> None:
    """A picture turned on its side would need the two scales exchanged."""
    assert ZSSRConfig(scale_factor=(1.5, 2.0), self_ensemble=8).ensemble_size == 4
    assert ZSSRConfig(scale_factor=(1.5, 2.0), self_ensemble=1).ensemble_size == 1
    assert (
        ZSSRConfig(scale_factor=(2.0, 3.0), self_ensemble=8).ensemble_size == 8
    )  # passes of 2 by 2


@pytest.mark.parametrize(
    ("factor", "times", "expected"),
    [(2.0, 1, "2"), (1.5, 1, "1.5"), (1.5, 2, "2.25"), ((2, 3), 1, "2x3"), ((2, 2), 1, "2")],
)
def test_scale_label_is_short(factor: Scale, times: int, expected: str) -> None:
    """File names and tables carry the total scale, x before y."""
    assert expected == ZSSRConfig(scale_factor=factor, scale_times=times).scale_label


def test_a_list_is_taken_for_a_pair() -> None:
    """TOML and JSON have no tuples; the configuration stays hashable."""
    factor: Any = [2, 3]
    config = ZSSRConfig(scale_factor=factor)
    assert config == ZSSRConfig(scale_factor=(2.0, 3.0))
    assert hash(config) == hash(ZSSRConfig(scale_factor=(2.0, 3.0)))


@pytest.mark.parametrize(
    ("overrides", "has_kernel", "expected"),
    [
        ({}, False, 4),
        ({}, True, 4),
        ({"scale_factor": 2.5}, True, 4),
        ({"scale_factor": 2.6}, True, 0),
        ({"scale_factor": 4.0}, True, 0),
        ({"scale_factor": 4.0}, False, 4),
        ({"start": "none"}, False, 0),
        ({"model_width": 48, "model_depth": 6}, False, 0),
    ],
)
def test_pairs_are_for_fits_whose_start_has_them(
    overrides: dict[str, Any], has_kernel: bool, expected: int
) -> None:
    """Those of the shipped network, with a drawn start, by at most 2.5 in one pass."""
    config = ZSSRConfig(**overrides)
    assert config.for_source(has_kernel=has_kernel).model_pairs == expected


@pytest.mark.parametrize(
    ("limit", "size", "expected"),
    [(100, (10, 10), 4), (100, (101, 1), 0), (100, (1, 101), 0), (0, (20_000, 20_000), 4)],
)
@pytest.mark.parametrize("has_target", [False, True])
def test_large_sources_have_no_pairs(
    limit: int, size: tuple[int, int], expected: int, has_target: bool
) -> None:
    """Those above `pairs_max_pixels`; 0 is no limit."""
    target = f"long:{2 * max(size)}" if has_target else ""
    sized = ZSSRConfig(pairs_max_pixels=limit, target=target).for_size(*size)
    assert (sized.model_pairs, sized.total_scale) == (expected, 2.0)
