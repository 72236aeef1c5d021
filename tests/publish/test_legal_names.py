"""LegalNames: outputs and sources get names that their file system accepts, and none is lost."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.publish_parts import SHA256, FileMoves, all_files, fail, marked, publish, worked
from tests.parts.small_disk import mount
from tests.parts.tiny_settings import SettingsFactory
from tests.parts.tools import tool
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish import legal_names
from zssr_daemon.publish.legal_names import LegalNames
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.mounts import Mount

NAME = "scans: new/10:30?.png"
LEGAL = "scans_ new/10_30_.png"


@pytest.fixture
def of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call every file system one of Windows, as the table of mounts would."""
    monkeypatch.setattr(legal_names, "mount_of", lambda _: Mount("/", "vfat"))


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to make names with a colon below output, archive and failed, as such systems do."""

    def checked(real: Callable[..., Any], at: int) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            path = os.fspath(args[at]) if isinstance(args[at], str | Path) else ""
            is_read = real is os.open and not args[1] & os.O_CREAT
            if ":" in path and "/inbox/" not in path and not is_read:
                raise OSError(errno.EINVAL, "Invalid argument", path)
            return real(*args, **kwargs)

        return call

    for name, at in (("mkdir", 0), ("open", 0), ("link", 1), ("replace", 1)):
        monkeypatch.setattr(os, name, checked(getattr(os, name), at))


def ended_places(settings: Settings, ledger: Ledger) -> dict[str, list[str]]:
    """Let one job of that name be done and one fail, and list the folders."""
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    job = publish(publisher, worked(ledger, settings, publisher, NAME)[0])
    assert (job.out_rel, job.disposal_rel) == ("scans_ new/10_30__x2.png", LEGAL)
    bad, _ = worked(ledger, settings, publisher, NAME)
    fail(ledger, publisher, bad)
    publisher.discard_part(bad)
    return all_files(settings)


EXPECTED = {
    "inbox": [],
    "output": ["scans_ new/10_30__x2.png"],
    "archive": [LEGAL],
    "failed": [LEGAL, f"{LEGAL}.error.json"],
}


@pytest.mark.usefixtures("of_windows")
def test_names_are_legal_where_it_is_asked(settings: Settings, ledger: Ledger) -> None:
    """Folders too, of outputs, archived and failed sources."""
    assert ended_places(settings, ledger) == EXPECTED


@pytest.mark.usefixtures("refusing")
def test_refused_names_are_tried_in_legal_form(settings: Settings, ledger: Ledger) -> None:
    """On a file system that nobody knew, after its first refusal."""
    assert ended_places(settings, ledger) == EXPECTED


@pytest.mark.usefixtures("refusing")
def test_refused_pages_too(settings: Settings, ledger: Ledger) -> None:
    """Each page of a file, where only the name is refused and not the folder."""
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    job, part = worked(ledger, settings, publisher, "a:b.tif")
    part.with_name(f"{part.name.removesuffix('.part')}.0.part").write_bytes(b"first")
    publisher.end(publisher.publish(job, out_sha256=SHA256, frames=2))
    assert all_files(settings)["output"] == ["a_b_p001_x2.png", "a_b_p002_x2.png"]


def test_other_names_stay(settings: Settings, ledger: Ledger) -> None:
    """Where everything is legal, nothing is changed."""
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    job = publish(publisher, worked(ledger, settings, publisher, NAME)[0])
    assert (job.out_rel, job.disposal_rel) == ("scans: new/10:30?_x2.png", NAME)


@pytest.mark.usefixtures("of_windows")
def test_names_that_become_equal_stay_apart(settings: Settings, ledger: Ledger) -> None:
    """No output and no source replaces another one."""
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    jobs = [
        publish(publisher, worked(ledger, settings, publisher, name)[0])
        for name in ("a:.png", "a?.png", "a*.png")
    ]
    assert len({job.out_rel for job in jobs}) == 3
    assert len({job.disposal_rel for job in jobs}) == 3
    assert [len(names) for names in all_files(settings).values()] == [0, 3, 3, 0]


def test_only_refusals_teach(tmp_path: Path) -> None:
    """And only once: a name that is refused in its legal form too is a fault."""
    names = LegalNames(tmp_path)
    assert not names.learn(OSError(errno.ENOSPC, "No space left on device"))
    assert names.rel("a:b") == "a:b"
    assert names.learn(OSError(errno.EILSEQ, "Invalid or incomplete multibyte character"))
    assert names.rel("a:b") == "a_b"
    assert not names.learn(OSError(errno.EINVAL, "Invalid argument"))


@pytest.fixture
def fat_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a real FAT file system."""
    make_file_system = tool("mkfs.vfat", package="dosfstools")
    image, folder = tmp_path / "fat.image", tmp_path / "fat"
    folder.mkdir()
    with image.open("wb") as stream:
        stream.truncate(8 << 20)
    subprocess.run([make_file_system, str(image)], check=True, capture_output=True)
    mount("-t", "vfat", "-o", "loop,utf8", str(image), str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def test_real_fat(make_settings: SettingsFactory, ledger: Ledger, fat_disk: Path) -> None:
    """It has no hard links either."""
    folders = {name: fat_disk / name for name in ("output", "archive", "failed")}
    settings = make_settings(folders=folders)
    assert ended_places(settings, ledger) == EXPECTED
