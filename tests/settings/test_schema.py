"""Settings: every key can be set in three ways, and a fault names key, value, origin and cure."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zssr_daemon.errors import SettingsError
from zssr_daemon.folders.check import check_folders
from zssr_daemon.settings.load import known_keys, load_settings, unknown_environment_names
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import PRESETS, ZSSRConfig

SHIPPED = Path(__file__).parent.parent.parent / "settings.toml"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ZSSR_")]:
        monkeypatch.delenv(name)


def load(folder: Path, toml: str = "") -> Settings:
    """Write settings.toml and load it."""
    (folder / "settings.toml").write_text(toml)
    return load_settings(folder / "settings.toml")


def fault(folder: Path, toml: str = "") -> str:
    """Return the message with which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        check_folders(load(folder, toml), folder / "settings.toml")
    assert caught.value.exit_code == 78
    return str(caught.value)


def test_empty_file_is_enough(tmp_path: Path) -> None:
    """Every key has a default; without a file the defaults hold too."""
    assert load(tmp_path).zssr == ZSSRConfig()
    assert load(tmp_path, "[folders]\n") == load(tmp_path)
    assert load_settings(None).zssr == ZSSRConfig()


def test_shipped_file_is_valid() -> None:
    """The settings.toml that comes with the program loads, and its values are the defaults."""
    settings = load_settings(SHIPPED)
    assert settings.model_dump() == Settings().relative_to(SHIPPED.parent).model_dump()


def test_shipped_file_names_every_key() -> None:
    """A user finds each key in the file, set or in a comment."""
    text = SHIPPED.read_text()
    tables = tomllib.loads(text)
    missing = [
        f"[{table}] {key}"
        for table, keys in known_keys().items()
        for key in keys
        if key not in tables.get(table, {}) and f"{key} =" not in text
    ]
    assert missing == []


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    """Where the daemon is started from does not matter; absolute paths stay."""
    toml = '[folders]\ninbox = "in"\noutput = "/abs/out"\n[logging]\nfile = "log/x.jsonl"'
    settings = load(tmp_path, toml)
    assert settings.folders.inbox == tmp_path / "in"
    assert settings.folders.output == Path("/abs/out")
    assert settings.folders.state == tmp_path / "state"
    assert settings.logging.file == tmp_path / "log/x.jsonl"


def test_home_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home folder of the user who runs the daemon."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(tmp_path, '[folders]\ninbox = "~/in"').folders.inbox == tmp_path / "home/in"


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_gives_way_to_keys(tmp_path: Path, preset: str) -> None:
    """A key replaces the preset's value, the others of the preset stay."""
    settings = load(tmp_path, f'[zssr]\npreset = "{preset}"\nseed = 7')
    assert settings.zssr == ZSSRConfig.from_preset(preset, seed=7)
    settings = load(tmp_path, f'[zssr]\npreset = "{preset}"\nnum_epochs = 3')
    assert settings.zssr == ZSSRConfig.from_preset(preset, num_epochs=3)


def test_scale_of_two_axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair is x, then y, in the file as in the environment."""
    assert load(tmp_path, "[zssr]\nscale_factor = [2, 3.5]\n").zssr.scale_factor == (2.0, 3.5)
    monkeypatch.setenv("ZSSR_ZSSR__SCALE_FACTOR", "[1.5, 1]")
    assert load(tmp_path).zssr.scale_factor == (1.5, 1.0)


def test_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable replaces one key, and the file's other keys of that table stay."""
    monkeypatch.setenv("ZSSR_ZSSR__NUM_EPOCHS", "33")
    monkeypatch.setenv("ZSSR_FOLDERS__INBOX", "from_env")
    monkeypatch.setenv("ZSSR_WORKER__DEVICES", '["cpu"]')
    toml = '[zssr]\npreset = "fast"\nnum_epochs = 44\nseed = 5\n[folders]\noutput = "out"'
    settings = load(tmp_path, toml)
    assert settings.zssr == ZSSRConfig.from_preset("fast", num_epochs=33, seed=5)
    assert settings.folders.inbox == tmp_path / "from_env"
    assert settings.folders.output == tmp_path / "out"
    assert settings.worker.devices == ("cpu",)
    assert unknown_environment_names() == []


def test_preset_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset chosen there is completed like any other."""
    monkeypatch.setenv("ZSSR_ZSSR__PRESET", "fast")
    assert load(tmp_path).zssr == ZSSRConfig.from_preset("fast")


def test_written_keys_are_known_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that say what the preset says: another preset must not change them."""
    assert Settings(zssr=ZSSRConfig(rounds=7)).written_zssr() == {"rounds": 7}
    monkeypatch.setenv("ZSSR_ZSSR__SEED", "3")
    toml = '[zssr]\npreset = "fast"\nnum_epochs = 900\n'
    written = {"preset": "fast", "num_epochs": 900, "seed": 3}
    assert load(tmp_path, toml).written_zssr() == written


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


def test_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that no table answers to can only be told of."""
    monkeypatch.setenv("ZSSR_FOLDER__INBOX", "a")
    monkeypatch.setenv("ZSSR_LIMITS__MAX_MB", "1")
    assert unknown_environment_names() == ["ZSSR_FOLDER__INBOX"]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("[zssr]\nnum_epoch = 3", "unknown key [zssr] num_epoch; did you mean num_epochs?"),
        ("[zsr]\nseed = 3", "unknown key [zsr]; did you mean zssr?"),
        ("[watch]\nstable_after = 3", "unknown key [watch] stable_after; did you mean stable_aft"),
        ("[limits]\nqqqq = 3", "unknown key [limits] qqqq; known are max_MB, "),
        ("[zssr]\nnum_epochs = 0", "[zssr] num_epochs = 0: must be a whole number from 1"),
        ("[zssr]\nlr = nan", "[zssr] lr = nan: must be above 0"),
        ("[zssr]\npreset = 'fsat'", "[zssr] preset = 'fsat': Input should be 'fast'"),
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
    """A user can mend the file from the message alone."""
    message = fault(tmp_path, toml)
    assert expected in message
    assert message.startswith(str(tmp_path / "settings.toml"))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Nobody has to start again for each of them."""
    message = fault(tmp_path, "[watch]\nrecursive = 7\n[limits]\nmax_attempts = 0")
    assert len(message.splitlines()) == 2


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A misspelt path is not taken for an empty file."""
    with pytest.raises(SettingsError, match=r"No such file.*--settings"):
        load_settings(tmp_path / "gone.toml")


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nothing changes them after they were checked."""
    settings = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings.watch, "recursive", False)  # noqa: B010 (mypy knows better)


def test_folders_are_made(tmp_path: Path) -> None:
    """The first start needs no preparation, and probing them leaves nothing behind."""
    settings = load(tmp_path, '[folders]\ninbox = "deep/down/in"')
    check_folders(settings, tmp_path / "settings.toml")
    for folder in settings.folders.by_name().values():
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ('inbox = "x"\noutput = "x/out"', "output = {0}/x/out lies in inbox = {0}/x"),
        ('inbox = "x/in"\noutput = "x"', "inbox = {0}/x/in lies in output = {0}/x"),
        ('archive = "x"\nfailed = "x"', "archive = {0}/x lies in failed = {0}/x"),
        ('output = "inbox/../inbox/."', "lies in"),
        ('inbox = "link/in"\noutput = "real"', "inbox = {0}/real/in lies in output"),
        ('inbox = "."', "inbox = {0}"),
        ('inbox = ""', "inbox = {0}"),
        ('state = ".."\n', "lies in state"),
        ('inbox = "settings.toml"', "inbox = {0}/settings.toml holds the settings file"),
        ('inbox = "file"', "inbox = {0}/file: File exists; the user that runs"),
        ('inbox = "file/in"', "inbox = {0}/file/in: Not a directory; the user that runs"),
        (f'inbox = "{"x" * 300}"', "File name too long"),
    ],
)
def test_folders_that_cannot_work_are_refused(tmp_path: Path, toml: str, expected: str) -> None:
    """Overlaps, also through links, and what cannot be written to, end at once and say why."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch()
    message = fault(tmp_path, f"[folders]\n{toml}")
    assert message.startswith("[folders] ")
    assert expected.format(tmp_path) in message


def test_folder_of_the_interpreter_is_refused(tmp_path: Path) -> None:
    """The environment the program runs in is nobody's inbox."""
    message = fault(tmp_path, f"[folders]\ninbox = '{Path(sys.prefix).parent}'")
    assert "holds the interpreter" in message or "lies in" in message


def test_settings_travel_to_children(tmp_path: Path) -> None:
    """Frozen classes of a module pickle, so spawned processes can have them."""
    code = (
        "import pickle, sys; from zssr_daemon.settings.load import load_settings;"
        "settings = load_settings(None);"
        "assert pickle.loads(pickle.dumps(settings)) == settings;"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("toml", "kernel", "noise_std", "jpeg_quality"),
    [
        ("auto = true", "estimate", "auto", "auto"),
        ("auto = true\nkernel = 'bicubic'\nnoise_std = 0", "estimate", "auto", "auto"),
        ("auto = true\nnoise_std = 3", "estimate", 3, "auto"),
        ("auto = true\njpeg_quality = 80", "estimate", "auto", 80),
        ("auto = false\nkernel = 'estimate'", "estimate", 0, "none"),
        ("", "bicubic", 0, "none"),
    ],
)
def test_auto_leaves_to_the_image_what_stands_at_its_default(
    tmp_path: Path, toml: str, kernel: str, noise_std: object, jpeg_quality: object
) -> None:
    """Also where the default is written out, as in the file that is shipped."""
    degradation = load(tmp_path, f"[degradation]\n{toml}").degradation
    asked = degradation.resolved()
    assert (asked.kernel, asked.noise_std, asked.jpeg_quality) == (kernel, noise_std, jpeg_quality)


def test_auto_leaves_a_given_kernel_alone(tmp_path: Path) -> None:
    """Somebody measured it."""
    asked = load(tmp_path, "[degradation]\nauto = true\nkernel = 'lens.npy'").degradation.resolved()
    assert asked.kernel == tmp_path / "lens.npy"
    assert asked.noise_std == "auto"
