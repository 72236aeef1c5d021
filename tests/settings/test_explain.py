"""Explain: a fault names key, value, place and cure."""

from pathlib import Path

import pytest

from tests.parts.settings_files import fault


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ZSSR_ZSSR__NUM_EPOCHS", "0", "ZSSR_ZSSR__NUM_EPOCHS: [zssr] num_epochs = 0: must be"),
        ("ZSSR_ZSSR__NUM_EPOCHS", "x", "ZSSR_ZSSR__NUM_EPOCHS: [zssr] num_epochs = 'x'"),
        ("ZSSR_ZSSR__NUM_EPOCH", "1", "[zssr] num_epoch; did you mean num_epochs?"),
        ("ZSSR_FOLDERS__INBX", "a", "[folders] inbx; did you mean inbox?"),
        ("ZSSR_WATCH__IGNORE", "a", "written as JSON"),
        ("ZSSR_ZSSR", "a", "written as JSON"),
        ("ZSSR_WORKER__DEVICES", "cpu", "[worker] devices"),
    ],
)
def test_faulty_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    """A fault in the environment is not blamed on the file."""
    monkeypatch.setenv(name, value)
    message = fault(tmp_path)
    assert message.startswith("environment variable ZSSR_")
    assert expected in message


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("[zssr]\nnum_epoch = 3", "unknown key [zssr] num_epoch; did you mean num_epochs?"),
        ("[zsr]\nseed = 3", "unknown key [zsr]; did you mean zssr?"),
        ("[watch]\nstable_after = 3", "unknown key [watch] stable_after; did you mean stable_aft"),
        ("[limits]\nqqqq = 3", "unknown key [limits] qqqq; known are max_MB, "),
        ("[zssr]\nnum_epochs = 0", "[zssr] num_epochs = 0: must be a whole number from 1"),
        ("[zssr]\nlr = nan", "[zssr] lr = nan: must be above 0"),
        ("[zssr]\npreset = 'fsat'", "[zssr] preset = 'fsat': Input should be 'instant', 'fast'"),
        ("[zssr]\npreset = [1]", "[zssr] preset = [1]: "),
        ("zssr = 3", "[zssr] = 3: "),
        ("[watch]\nscan_interval_s = inf", "[watch] scan_interval_s = inf: "),
        ("[limits]\nmax_MB = inf", "[limits] max_MB = inf: "),
        ("[limits]\nmax_attempts = 0", "[limits] max_attempts = 0: "),
        ("[worker]\ndevices = []", "[worker] devices"),
        ("[worker]\nthreads = 0", "[worker] threads"),
        ("[folders]\ninbox = 3", "[folders] inbox = 3: "),
        ('[folders]\ninbox = "a\\u0000b"', "[folders] inbox = 'a\\x00b': must not hold a NUL"),
        ("[folders]\ninbox = '~no-such-user-/a'", "begins with '~'"),
        ("[degradation]\nnoise_std = -1", "[degradation] noise_std"),
        ("[degradation]\nnoise_std = 101", "less than or equal to 100"),
        ("[degradation]\nnoise_std = nan", "[degradation] noise_std"),
        ("[degradation]\nnoise_std = 'some'", "[degradation] noise_std"),
        ("[degradation]\njpeg_quality = 0", "[degradation] jpeg_quality"),
        ("[degradation]\njpeg_quality = 101", "less than or equal to 100"),
        ("[degradation]\njpeg_quality = 60.5", "[degradation] jpeg_quality"),
        ("[degradation]\njpeg_quality = 'best'", "[degradation] jpeg_quality"),
        ("[output]\nformat = 'jpg'", "[output] format = 'jpg': "),
        ("[output]\nname = 'x'", "must contain {stem} once"),
        ("[output]\nname = '{stem}{stem}'", "must contain {stem} once"),
        ("[output]\nname = '{stem}/{scale}'", "must have no '/'"),
        ("[output]\nname = '{stem}{wrong}'", "may use {stem} and {scale} only"),
        ("[output]\nname = '{stem}{scale.foo}'", "may use {stem} and {scale} only"),
        ("[output]\nname = '{stem}{scale:>999}'", "may use {stem} and {scale} only"),
        ("[output]\nname = '{stem}{scale'", "[output] name = "),
        ('[output]\nname = "{stem}\\u0000"', "control character"),
        (f"[output]\nname = '{{stem}}{'x' * 300}'", "at most 100 bytes"),
        ("[watch\n", "cannot be read"),
    ],
)
def test_fault_names_key_value_and_origin(tmp_path: Path, toml: str, expected: str) -> None:
    """The message alone tells a user what to correct, and where."""
    message = fault(tmp_path, toml)
    assert expected in message
    assert message.startswith(str(tmp_path / "settings.toml"))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """One message has a line for each fault."""
    message = fault(tmp_path, "[watch]\nrecursive = 7\n[limits]\nmax_attempts = 0")
    assert len(message.splitlines()) == 2
