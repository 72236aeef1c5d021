"""ImageSettings: the settings of an image, by the files of the inbox, and which are refused."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parts.opened_files import OpenedFiles
from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.settings.image_settings import ImageSettings, Resolved, Resolver
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.profile_files import PROFILE_BYTES
from zssr_daemon.settings.schema import Degradation, Settings
from zssr_daemon.zssr.config import ZSSRConfig

#: The kernel file that settings.toml names, as it was read at the start.
CONFIGURED = KernelFile(name="configured.npy", content=b"weights of all")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Return an inbox."""
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def settings_with(inbox: Path, toml: str = "") -> Settings:
    """Load a settings.toml beside the inbox."""
    file = inbox.parent / "settings.toml"
    file.write_text(toml)
    return load_settings(file)


def found(inbox: Path, src_rel: str = "a.png", toml: str = "") -> Resolved:
    """Return the settings of an image."""
    return Resolver(settings_with(inbox, toml), inbox, CONFIGURED).resolve(src_rel)


def fault(inbox: Path, src_rel: str = "a.png", toml: str = "") -> str:
    """Return the message with which an image's own settings are refused."""
    with pytest.raises(ImageSettingsError) as caught:
        found(inbox, src_rel, toml)
    assert (caught.value.reason, caught.value.is_retryable) == ("bad_settings", False)
    return str(caught.value)


def test_image_without_own_settings(inbox: Path) -> None:
    """It has the settings for all images."""
    own = found(inbox, "deep/down/a.png", "[zssr]\nscale_factor = 3.0\n[output]\nreport = true")
    assert own.profiles == ()
    assert own.settings.zssr == ZSSRConfig(scale_factor=3.0)
    assert own.settings.output.report


@pytest.mark.parametrize(
    ("src_rel", "scale", "files"),
    [
        ("a.png", 3.0, ["zssr.toml"]),
        ("other/deep/a.png", 3.0, ["zssr.toml"]),
        ("scans/a.png", 4.0, ["scans/zssr.toml"]),
        ("scans/deep/a.png", 4.0, ["scans/zssr.toml"]),
        ("scans/deep/b.png", 6.0, ["scans/zssr.toml", "scans/deep/b.toml"]),
        ("scans/deep/b.jpg", 5.0, ["scans/zssr.toml", "scans/deep/b.jpg.toml"]),
        ("scansa/a.png", 3.0, ["zssr.toml"]),
    ],
)
def test_nearest_file_wins(inbox: Path, src_rel: str, scale: float, files: list[str]) -> None:
    """NAME.toml wins over the nearest zssr.toml; farther ones and other folders do not count."""
    write(
        inbox,
        {
            "zssr.toml": "[zssr]\nscale_factor = 3.0",
            "scans/zssr.toml": "[zssr]\nscale_factor = 4.0",
            "scans/deep/b.jpg.toml": "[zssr]\nscale_factor = 5.0",
            "scans/deep/b.toml": "[zssr]\nscale_factor = 6.0",
        },
    )
    own = found(inbox, src_rel)
    assert own.settings.zssr.scale_factor == scale
    assert list(own.profiles) == files


def test_layers_are_laid_key_by_key(inbox: Path) -> None:
    """Each key comes from the strongest file that sets it; the other keys of the table stay."""
    write(
        inbox,
        {
            "zssr.toml": '[zssr]\nscale_factor = 3.0\nseed = 2\n[output]\nformat = "tiff"',
            "a.toml": '[zssr]\nseed = 3\n[output]\nname = "{stem}_own"',
        },
    )
    toml = '[zssr]\nseed = 1\nrounds = 5\n[output]\nformat = "webp"\non_success = "keep"'
    own = found(inbox, toml=toml).settings
    assert own.zssr == ZSSRConfig(scale_factor=3.0, seed=3, rounds=5)
    assert own.output.model_dump(exclude_defaults=True) == {
        "format": "tiff",
        "name": "{stem}_own",
        "on_success": "keep",
    }


@pytest.mark.parametrize(
    ("toml", "folder", "own", "expected"),
    [
        # What somebody wrote stays, whichever file chooses the preset.
        ("num_epochs = 900", 'preset = "best"', "", ("best", {"num_epochs": 900})),
        # Also where it says what the former preset says: it was written.
        ("num_epochs = 4200", 'preset = "best"', "", ("best", {"num_epochs": 4200})),
        ('preset = "fast"', 'preset = "best"', "", ("best", {})),
        ('preset = "fast"\nrounds = 5', 'preset = "paper"', "", ("paper", {"rounds": 5})),
        ('preset = "fast"', "num_epochs = 7", "", ("fast", {"num_epochs": 7})),
        ("", 'preset = "fast"\nrounds = 5', 'preset = "best"', ("best", {"rounds": 5})),
        ("", 'preset = "best"', "seed = 9", ("best", {"seed": 9})),
    ],
)
def test_preset_fills_in_what_nobody_says(
    inbox: Path, toml: str, folder: str, own: str, expected: tuple[str, dict[str, int]]
) -> None:
    """A profile's preset replaces the values of another preset, but no key that a file sets."""
    write(inbox, {"zssr.toml": f"[zssr]\n{folder}", "a.toml": f"[zssr]\n{own}"})
    preset, keys = expected
    assert found(inbox, toml=f"[zssr]\n{toml}").settings.zssr == ZSSRConfig.from_preset(
        preset, **keys
    )


def test_environment_counts_as_settings_toml(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's preset does not replace it; a profile's own key does."""
    monkeypatch.setenv("ZSSR_ZSSR__NUM_EPOCHS", "33")
    monkeypatch.setenv("ZSSR_ZSSR__SEED", "44")
    write(inbox, {"a.toml": '[zssr]\npreset = "best"\nseed = 5'})
    expected = ZSSRConfig.from_preset("best", num_epochs=33, seed=5)
    assert found(inbox).settings.zssr == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[zssr]\nscale_factor = 99", "a.toml: [zssr] scale_factor = 99.0: must be above 1"),
        ("[zssr]\nnum_epoch = 3", "a.toml: unknown key [zssr] num_epoch; did you mean num_epochs?"),
        ("[zsr]\nseed = 3", "a.toml: unknown key [zsr]; did you mean zssr?"),
        ("[limits]\nmax_MB = 3", "unknown key [limits]; known are zssr, degradation, output"),
        ("[folders]\ninbox = '/'", "unknown key [folders]; known are"),
        ("zssr = 3", "a.toml: [zssr] = 3: "),
        ("output = []", "a.toml: [output] = []: "),
        ("[output]\nname = '../{stem}'", "a.toml: [output] name = '../{stem}': must have no '/'"),
        ("[output]\nformat = 'jpg'", "a.toml: [output] format = 'jpg': "),
        ("[degradation]\nkernel = 'a.txt'", "a.toml: [degradation] kernel"),
        ("[zssr]\nscale_factor = 0x" + "f" * 20_000, "a.toml: "),
        ("[output]\nquality = 0x" + "f" * 20_000, "a.toml: [output] quality = (int): "),
        (b"[zssr]\nseed = 3 # \xff", "a.toml: no TOML in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a.toml: no TOML in UTF-8"),
        ("[zssr", "a.toml: no TOML in UTF-8"),
        ("a = " + "[" * 30_000, "a.toml: no TOML in UTF-8"),
        ("output.name" + ".a" * 20_000 + " = 1", "a.toml: [output] name = (dict): "),
        ("#" * (PROFILE_BYTES + 1), f"a.toml: more than {PROFILE_BYTES} bytes; make it smaller"),
    ],
)
def test_faulty_file_is_refused(inbox: Path, content: str | bytes, expected: str) -> None:
    """The message names file, key, value and cure."""
    write(inbox, {"a.toml": content})
    assert expected in fault(inbox)
    assert found(inbox, "b.png").profiles == ()


def test_fault_is_blamed_on_the_file_it_stands_in(inbox: Path) -> None:
    """Each fault names the file whose key wins, and all faults are told at once."""
    write(
        inbox,
        {
            "zssr.toml": "[zssr]\nseed = -1\n[output]\nquality = 0\nreport = 7",
            "a.toml": "[output]\nquality = 101",
        },
    )
    message = fault(inbox).splitlines()
    assert [line.split(":")[0] for line in message] == ["zssr.toml", "a.toml", "zssr.toml"]


def test_keys_that_contradict_each_other(inbox: Path) -> None:
    """Settings that are good alone, but faulty together with the other files, are refused."""
    write(inbox, {"a.toml": "[zssr]\nreconstruct_step = 500"})
    assert "a.toml: [zssr] lr_decay_range = 256" in fault(inbox)
    assert found(inbox, toml="[zssr]\nlr_decay_range = 2000").settings.zssr.reconstruct_step == 500


@pytest.mark.parametrize("name", ["zssr.toml", "a.toml", "a.png.toml"])
def test_only_plain_files_are_opened(inbox: Path, name: str) -> None:
    """No link, not even to a good file; no fifo, which would be waited for; no folder."""
    (inbox.parent / "good.toml").write_text("[zssr]\nseed = 3")
    makers: list[Callable[[Path], object]] = [
        lambda path: path.symlink_to(inbox.parent / "good.toml"),
        lambda path: path.symlink_to("gone"),
        os.mkfifo,
        Path.mkdir,
    ]
    for make in makers:
        make(inbox / name)
        assert fault(inbox).startswith(f"{name}: ")
        (inbox / name).rmdir() if (inbox / name).is_dir() else (inbox / name).unlink()
    assert found(inbox).profiles == ()


def test_image_that_is_called_zssr(inbox: Path) -> None:
    """The file for the folder is not also the image's own: it counts once."""
    write(inbox, {"zssr.toml": "[zssr]\nseed = 3", "zssr.png.toml": "[zssr]\nseed = 4"})
    assert found(inbox, "zssr").profiles == ("zssr.toml",)
    assert found(inbox, "zssr.jpg").profiles == ("zssr.toml",)
    assert found(inbox, "zssr.png").profiles == ("zssr.toml", "zssr.png.toml")


def test_names_of_any_bytes(inbox: Path) -> None:
    """An image whose profile's name would be too long has no profile."""
    name = os.fsdecode(b"\xff\n.png")
    write(inbox, {f"{name}.toml": "[zssr]\nsed = 3"})
    assert fault(inbox, name).startswith("\\xff\n.png.toml: unknown key")
    assert found(inbox, "x" * 255).profiles == ()


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_fault_of_the_disk_is_no_fault_of_the_file(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The error passes through, and the next call may succeed."""
    write(inbox, {"zssr.toml": ""})
    OpenedFiles(monkeypatch, failing="zssr.toml", errnos=[number])
    with pytest.raises(OSError, match=os.strerror(number)):
        found(inbox)
    assert found(inbox).profiles == ("zssr.toml",)


def test_file_that_may_not_be_read(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused with a cure, as it does not pass by itself."""
    write(inbox, {"zssr.toml": ""})
    OpenedFiles(monkeypatch, failing="zssr.toml", errnos=[errno.EACCES])
    assert "zssr.toml: Permission denied; let the user" in fault(inbox)


class TestKernel:
    """A kernel that a profile names."""

    KERNEL = '[degradation]\nkernel = "{}"\nkernel_phase = "topleft"'

    @pytest.mark.parametrize(
        ("where", "path"),
        [
            ("scans", "lens.npy"),
            ("scans", "deep/lens.npy"),
            ("scans/deep", "../lens.npy"),
            ("scans/deep", "../../lens.npy"),
            ("scans", "{inbox}/scans/lens.npy"),
        ],
    )
    def test_is_read_from_the_inbox(self, inbox: Path, where: str, path: str) -> None:
        """Its path counts from the folder of the profile, not of the image."""
        path = path.format(inbox=inbox)
        lies = Path(os.path.normpath(inbox / where / path))
        write(lies.parent, {lies.name: b"weights"})
        write(inbox, {f"{where}/zssr.toml": self.KERNEL.format(path)})
        own = found(inbox, f"{where}/below/a.png")
        assert isinstance(own.kernel, KernelFile)
        assert (own.kernel.name, own.kernel.content) == ("lens.npy", b"weights")
        assert own.settings.degradation.kernel == lies
        assert own.settings.degradation.kernel_phase == "topleft"

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("../lens.npy", "lies outside the inbox"),
            ("deep/../../lens.npy", "lies outside the inbox"),
            ("/etc/lens.npy", "lies outside the inbox"),
            ("~/lens.npy", "lies outside the inbox"),
            ("{inbox}x/lens.npy", "lies outside the inbox"),
            ("gone.npy", "no such file in the inbox"),
            ("link.npy", "is not a plain file"),
            ("linked/lens.npy", "is not a plain file"),
            ("fifo.npy", "is not a regular file"),
            ("huge.npy", "more than 1000000 bytes"),
        ],
    )
    def test_is_read_from_nowhere_else(self, inbox: Path, path: str, why: str) -> None:
        """Whoever may drop images may not have other files read."""
        write(inbox.parent, {"lens.npy": b"secret"})
        (inbox / "link.npy").symlink_to(inbox.parent / "lens.npy")
        (inbox / "linked").symlink_to(inbox.parent)
        os.mkfifo(inbox / "fifo.npy")
        write(inbox, {"huge.npy": bytes(1_000_001)})
        path = path.format(inbox=inbox)
        write(inbox, {"zssr.toml": self.KERNEL.format(path)})
        message = fault(inbox)
        assert message.startswith("zssr.toml: [degradation] kernel = ")
        assert why in message

    def test_of_settings_toml_is_the_daemons(self, inbox: Path) -> None:
        """It may lie anywhere and was read at the start; a profile may do without it."""
        write(inbox.parent, {"lens.npy": b"weights"})
        write(inbox, {"a.toml": "[zssr]\nseed = 1", "b.toml": '[degradation]\nkernel = "bicubic"'})
        toml = '[degradation]\nauto = false\nkernel = "lens.npy"'
        own = found(inbox, "a.png", toml)
        assert own.kernel == CONFIGURED
        assert own.settings.degradation.kernel == inbox.parent / "lens.npy"
        assert found(inbox, "b.png", toml).kernel is None

    def test_scale_too_large_for_one(self, inbox: Path) -> None:
        """It is refused before any work, and names the file that sets the scale."""
        write(inbox, {"lens.npy": b"weights", "zssr.toml": self.KERNEL.format("lens.npy")})
        write(inbox, {"a.toml": "[zssr]\nscale_factor = 4.0\nscale_times = 2"})
        assert fault(inbox).startswith(
            "a.toml: [zssr] a total scale of 16: with a kernel at most 8"
        )
        assert found(inbox, "b.png").kernel is not None


def test_auto_of_settings_toml_is_resolved_for_each_image(inbox: Path) -> None:
    """The settings for all stay as they were written; what an image is made with is resolved."""
    toml = "[degradation]\nauto = true\njpeg_quality = 80\n"
    settings = settings_with(inbox, toml)
    assert settings.degradation == Degradation(auto=True, jpeg_quality=80)
    write(inbox, {"b.toml": "[degradation]\nnoise_std = 3.0\n"})
    for rel, noise_std in (("a.png", "auto"), ("b.png", 3.0)):
        own = found(inbox, rel, toml)
        assert own.kernel == own.settings.degradation.kernel == "estimate"
        assert own.settings.degradation.noise_std == noise_std
        assert own.settings.degradation.jpeg_quality == 80


def test_auto_of_settings_toml_is_taken_back_by_a_profile(inbox: Path) -> None:
    """Then the image has what settings.toml would say without it, its other keys included."""
    write(inbox, {"a.toml": "[degradation]\nauto = false\n"})
    own = found(inbox, toml="[degradation]\nauto = true\njpeg_quality = 80\n")
    assert own.kernel is None
    assert own.settings.degradation == Degradation(auto=False, jpeg_quality=80)


@pytest.mark.parametrize(
    "toml",
    [
        "auto = false",
        "auto = false\njpeg_quality = 80",
        'auto = false\nkernel = "estimate"\nnoise_std = "auto"',
        'auto = false\nkernel = "lens.npy"\nkernel_phase = "topleft"',
    ],
)
def test_settings_without_auto_are_kept_as_they_were_written(inbox: Path, toml: str) -> None:
    """Nothing is resolved, so their hash in the ledger is what it always was."""
    settings = settings_with(inbox, f"[degradation]\n{toml}\n")
    assert ImageSettings.of(settings).model_dump(mode="json") == {
        table: settings.model_dump(mode="json")[table]
        for table in ("zssr", "degradation", "output")
    }


def test_auto_of_a_profile_is_taken_back_by_a_nearer_one(inbox: Path) -> None:
    """`auto` is resolved last, after all files are merged."""
    write(inbox, {"zssr.toml": "[degradation]\nauto = true\n"})
    assert found(inbox).settings.degradation.kernel == "estimate"
    write(inbox, {"a.toml": "[degradation]\nauto = false\n"})
    toml = '[degradation]\nauto = true\nkernel = "bicubic"\n'
    assert found(inbox, toml=toml).settings.degradation.kernel == "bicubic"


def test_auto_is_on_unless_the_nearest_file_says_otherwise(inbox: Path) -> None:
    """What the image's own file says counts more than its folder's, and this more than the rest."""
    assert found(inbox).kernel == "auto"
    assert found(inbox, toml='[zssr]\npreset = "paper"').kernel is None
    write(inbox, {"zssr.toml": "[degradation]\nauto = false\n"})
    assert found(inbox).kernel is None
    write(inbox, {"a.toml": "[degradation]\nauto = true\n"})
    assert found(inbox, toml="[degradation]\nauto = false\n").kernel == "estimate"
    write(inbox, {"zssr.toml": '[zssr]\npreset = "paper"\n', "a.toml": '[zssr]\npreset = "fast"\n'})
    assert found(inbox).settings.degradation.noise_std == "auto"
    assert found(inbox, "b.png").settings.degradation.noise_std == 0


def test_auto_that_nobody_set_refuses_no_scale(inbox: Path) -> None:
    """Only a kernel that somebody asked for does."""
    write(inbox, {"a.toml": "[zssr]\nscale_factor = 4.0\nscale_times = 2\n"})
    assert found(inbox).kernel == "auto"


def test_estimated_kernel_has_the_scale_of_a_kernel(inbox: Path) -> None:
    """More than 8 is refused with the file to mend, before any work is done."""
    write(
        inbox,
        {"a.toml": "[degradation]\nauto = true\n[zssr]\nscale_factor = 4.0\nscale_times = 2\n"},
    )
    assert "at most 8" in fault(inbox)
