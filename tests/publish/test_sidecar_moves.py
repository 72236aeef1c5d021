"""Sidecar moves: files of other programs go where their image goes, and are never lost."""

import os
import time
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, drop, files_in, queue
from tests.parts.killed import run_killed
from tests.parts.publish_parts import FileMoves
from tests.parts.tiny_settings import SettingsFactory
from tests.publish.test_profile_moves import DISPOSE
from zssr_daemon.errors import Reason
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish import sidecar_moves
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.settings.schema import Settings

#: The same for a daemon whose sidecars follow.
DISPOSE_ALL = DISPOSE.replace("sources)\ndisposer.", "sources, takes_sidecars=True)\ndisposer.")


def end(settings: Settings, ledger: Ledger, name: str = "a.jpg", *, is_good: bool = True) -> Job:
    """Let a job for an image of that name end, and its files leave the inbox."""
    job = ended(ledger, settings, name, is_good=is_good)
    return FileMoves(settings, ledger, takes_sidecars=True).end(job)


def ended(ledger: Ledger, settings: Settings, name: str, *, is_good: bool = True) -> Job:
    """Queue a picture and let its job end; its file is still in the inbox."""
    job = queue(ledger, settings, name)
    if is_good:
        return ledger.done(job.id, now=time.time())
    return ledger.fail(job.id, now=time.time(), reason=Reason.CORRUPT, message="broken")


def write(folder: Path, *names: str) -> list[str]:
    """Write sidecars, each with its name as content."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(os.fsencode(name))
    return list(names)


def places(settings: Settings) -> tuple[list[str], list[str], list[str]]:
    """List inbox, archive and failed."""
    folders = settings.folders
    return files_in(folders.inbox), files_in(folders.archive), files_in(folders.failed)


ALL = ["a.jpg.xmp", "a.xmp", "A.XMP", "a.JPG.json", "a.txt", "a.jpg.TXT"]


def test_follow_to_archive(settings: Settings, ledger: Ledger) -> None:
    """By whole name or stem, in any case, with their own names; others stay."""
    inbox = settings.folders.inbox
    write(inbox, *ALL)
    others = write(inbox, "b.xmp", "a.jpg.xml", "a.jpg.bak.xmp", "aa.txt")
    end(settings, ledger)
    assert places(settings) == (sorted(others), sorted(["a.jpg", *ALL]), [])
    assert all((settings.folders.archive / name).read_text() == name for name in ALL)


def test_follow_to_failed_and_back(settings: Settings, ledger: Ledger) -> None:
    """The record of the error is none of them."""
    write(settings.folders.inbox, *ALL)
    job = end(settings, ledger, is_good=False)
    assert places(settings) == ([], [], sorted(["a.jpg", "a.jpg.error.json", *ALL]))
    Retrier(settings.folders, ledger, Markers(ledger)).retry(job.id)
    assert places(settings) == (sorted(["a.jpg", *ALL]), [], [])


def test_stay_unless_asked_for(settings: Settings, ledger: Ledger) -> None:
    """As they always did."""
    write(settings.folders.inbox, *ALL)
    FileMoves(settings, ledger).end(ended(ledger, settings, "a.jpg"))
    assert places(settings) == (sorted(ALL), ["a.jpg"], [])


@pytest.mark.parametrize("on_success", ["keep", "delete"])
def test_none_is_ever_deleted(
    make_settings: SettingsFactory, ledger: Ledger, on_success: str
) -> None:
    """What people wrote stays, where the image stays and where it goes."""
    settings = make_settings(output={"on_success": on_success})
    write(settings.folders.inbox, *ALL)
    end(settings, ledger)
    left = ["a.jpg"] if on_success == "keep" else []
    assert places(settings) == (sorted([*left, *ALL]), [], [])


def test_shared_one_leaves_with_the_last(settings: Settings, ledger: Ledger) -> None:
    """Whether the first was good or not; nothing is copied."""
    write(settings.folders.inbox, "a.xmp", "a.jpg.xmp")
    last = ended(ledger, settings, "a.PNG")
    end(settings, ledger, is_good=False)
    assert files_in(settings.folders.inbox) == ["a.PNG", "a.xmp"]
    FileMoves(settings, ledger, takes_sidecars=True).end(last)
    failed = ["a.jpg", "a.jpg.error.json", "a.jpg.xmp"]
    assert places(settings) == ([], ["a.PNG", "a.xmp"], failed)


def test_takes_the_name_of_its_image(settings: Settings, ledger: Ledger) -> None:
    """When an image had to be renamed, its sidecars are renamed too, and replace nothing."""
    drop(settings.folders.archive, "a.jpg")
    write(settings.folders.archive, "a.xmp")
    write(settings.folders.inbox, "a.XMP", "a.jpg.xmp")
    job = end(settings, ledger)
    new = f"a-{job.id[:8]}"
    assert job.disposal_rel == f"{new}.jpg"
    archived = sorted(["a.jpg", "a.xmp", f"{new}.jpg", f"{new}.XMP", f"{new}.jpg.xmp"])
    assert places(settings) == ([], archived, [])


def test_taken_names_are_left_alone(settings: Settings, ledger: Ledger) -> None:
    """A sidecar with a taken name gets the whole name; with both taken it stays."""
    write(settings.folders.archive, "a.xmp", "a.txt", "a.jpg.txt")
    write(settings.folders.inbox, "a.xmp", "a.txt")
    end(settings, ledger)
    archived = ["a.jpg", "a.jpg.txt", "a.jpg.xmp", "a.txt", "a.xmp"]
    assert places(settings) == (["a.txt"], archived, [])


def test_new_image_keeps_its_own(settings: Settings, ledger: Ledger) -> None:
    """Sidecars beside a picture that was dropped meanwhile belong to that picture."""
    job = ended(ledger, settings, "a.jpg")
    (settings.folders.inbox / "a.jpg").unlink()
    drop(settings.folders.inbox, "a.jpg", size=(30, 20))
    write(settings.folders.inbox, "a.xmp")
    FileMoves(settings, ledger, takes_sidecars=True).end(job)
    assert places(settings) == (["a.jpg", "a.xmp"], [], [])


def test_images_links_and_folders_are_no_sidecars(settings: Settings, ledger: Ledger) -> None:
    """A picture that is called .txt has a job of its own."""
    inbox = settings.folders.inbox
    drop(inbox, "a.txt")
    (inbox / "a.xmp").symlink_to("/etc/passwd")
    drop(inbox / "a.json", "b.png")
    end(settings, ledger)
    assert places(settings) == (["a.json/b.png", "a.txt", "a.xmp"], ["a.jpg"], [])


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_of_any_bytes(settings: Settings, ledger: Ledger, name: str) -> None:
    """Whatever an image is called, its sidecar goes with it, or no such name is possible."""
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    names = [each for each in (f"{name}.xmp", f"{stem}.XMP") if len(os.fsencode(each)) <= 255]
    for each in names:
        (settings.folders.inbox / each).write_bytes(b"a text")  # some names begin like an image
    end(settings, ledger, name)
    inbox, archive, _ = places(settings)
    assert (inbox, len(archive)) == ([], 1 + len(names))


def test_missing_folder_is_a_fault_of_the_disk(tmp_path: Path) -> None:
    """Nobody takes it for a folder without sidecars."""
    with pytest.raises(FileNotFoundError):
        sidecar_moves.follow(tmp_path / "gone" / "a.jpg", tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("point", "times", "is_good"),
    [
        (Failpoint.MOVED, 1, True),  # the image is gone, no sidecar is
        (Failpoint.RESERVED, 2, True),  # the second is the first sidecar's
        (Failpoint.COPIED, 3, True),
        (Failpoint.PROFILE_MOVED, 1, True),
        (Failpoint.PROFILE_MOVED, 2, True),
        (Failpoint.RESERVED, 3, False),
        (Failpoint.PROFILE_MOVED, 1, False),
    ],
)
def test_killed_between_the_moves(
    *,
    make_settings: SettingsFactory,
    ledger: Ledger,
    elsewhere: Path,
    point: Failpoint,
    times: int,
    is_good: bool,
) -> None:
    """After SIGKILL at any step, image and sidecars end beside each other, whole and once."""
    is_far = point is Failpoint.COPIED
    settings = make_settings(folders={"archive": elsewhere} if is_far else {})
    folders = settings.folders
    names = write(folders.inbox, "a.jpg.xmp", "a.txt")
    ended(ledger, settings, "a.jpg", is_good=is_good)
    ledger.close()
    paths = map(str, (folders.inbox, folders.archive, folders.state))
    run_killed(DISPOSE_ALL, *paths, point=point, times=times)
    again = Ledger.open(folders.state)
    publisher = FileMoves(settings, again, takes_sidecars=True)
    for job in again.undisposed():
        publisher.end(job)
    again.close()
    record = [] if is_good else ["a.jpg.error.json"]
    together = sorted(["a.jpg", *names, *record])
    assert places(settings) == (([], together, []) if is_good else ([], [], together))
    where = folders.archive if is_good else folders.failed
    assert all((where / name).read_text() == name for name in names)
