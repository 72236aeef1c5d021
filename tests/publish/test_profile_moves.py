"""Profile moves: NAME.toml goes where its image goes, comes back with it, and is never lost."""

import os
import time
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, drop, files_in, identity_of, queue
from tests.parts.killed import run_killed
from tests.parts.publish_parts import FileMoves
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.errors import Reason
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish import profile_moves
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.settings.profile_files import PROFILE_BYTES, own_names
from zssr_daemon.settings.schema import Settings

OWN = "[zssr]\nscale_factor = 3.0\n"

#: Disposes of the only job in a process of its own, which ends by SIGKILL at the point it is told.
DISPOSE = """
from pathlib import Path
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.publish.disposal import Disposer
from zssr_daemon.publish.sources import Sources
from zssr_daemon.settings.schema import Folders, Settings
inbox, archive, state = sys.argv[1:4]
root = Path(inbox).parent
names = {name: root / name for name in Folders.model_fields} | {"archive": Path(archive)}
ledger = Ledger.open(Path(state))
folders, markers = Folders(**names), Markers(ledger)
job_settings = JobSettings(ledger, Settings(folders=folders))
sources = Sources(folders.inbox, ledger, markers)
disposer = Disposer(folders, ledger, markers, job_settings, sources)
disposer.close(disposer.dispose(ledger.newest()[0]))
"""


@pytest.fixture
def publisher(settings: Settings, ledger: Ledger) -> FileMoves:
    """Return a publisher on `settings`."""
    return FileMoves(settings, ledger)


def ended(ledger: Ledger, settings: Settings, name: str = "a.png", *, is_good: bool = True) -> Job:
    """Queue a picture and let its job end; its file is still in the inbox."""
    job = queue(ledger, settings, name)
    if is_good:
        return ledger.done(job.id, now=time.time())
    return ledger.fail(job.id, now=time.time(), reason=Reason.CORRUPT, message="broken")


def dispose(publisher: FileMoves, job: Job) -> Job:
    """Let a job's files leave the inbox."""
    return publisher.end(job)


def write(folder: Path, *names: str, content: str = OWN) -> None:
    """Write profiles."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def places(settings: Settings) -> tuple[list[str], list[str], list[str]]:
    """List inbox, archive and failed."""
    folders = settings.folders
    return files_in(folders.inbox), files_in(folders.archive), files_in(folders.failed)


@pytest.mark.parametrize("own", ["sub/a.png.toml", "sub/a.toml"])
def test_follows_to_archive(
    settings: Settings, ledger: Ledger, publisher: FileMoves, own: str
) -> None:
    """A profile keeps its name; zssr.toml and another image's profile stay."""
    write(settings.folders.inbox, own, "sub/zssr.toml", "sub/b.toml", "a.toml")
    dispose(publisher, ended(ledger, settings, "sub/a.png"))
    left = ["a.toml", "sub/b.toml", "sub/zssr.toml"]
    assert places(settings) == (left, ["sub/a.png", own], [])
    assert (settings.folders.archive / own).read_text() == OWN


@pytest.mark.parametrize("own", ["a.png.toml", "a.toml"])
def test_follows_to_failed_and_back(
    settings: Settings, ledger: Ledger, publisher: FileMoves, own: str
) -> None:
    """Failed and tried again, an image has the settings it had."""
    write(settings.folders.inbox, own)
    job = dispose(publisher, ended(ledger, settings, is_good=False))
    assert places(settings) == ([], [], sorted(["a.png", "a.png.error.json", own]))
    Retrier(settings.folders, ledger, Markers(ledger)).retry(job.id)
    assert places(settings) == (sorted(["a.png", own]), [], [])
    assert (settings.folders.inbox / own).read_text() == OWN


@pytest.mark.parametrize(("on_success", "left"), [("keep", ["a.png", "a.toml"]), ("delete", [])])
def test_other_ways_of_disposal(
    make_settings: SettingsFactory, ledger: Ledger, on_success: str, left: list[str]
) -> None:
    """A profile stays with an image that stays, and is deleted with one that is deleted."""
    settings = make_settings(output={"on_success": on_success})
    write(settings.folders.inbox, "a.toml")
    publisher = FileMoves(settings, ledger)
    dispose(publisher, ended(ledger, settings))
    assert places(settings) == (left, [], [])


@pytest.mark.parametrize("on_success", ["archive", "delete"])
def test_stays_for_another_image(
    make_settings: SettingsFactory, ledger: Ledger, on_success: str
) -> None:
    """A profile named after the stem leaves with the last image of that stem."""
    settings = make_settings(output={"on_success": on_success})
    publisher = FileMoves(settings, ledger)
    write(settings.folders.inbox, "a.toml")
    first, second = ended(ledger, settings, "a.png"), ended(ledger, settings, "a.JPG")
    dispose(publisher, first)
    assert files_in(settings.folders.inbox) == ["a.JPG", "a.toml"]
    dispose(publisher, second)
    is_kept = on_success == "archive"
    assert places(settings) == ([], ["a.JPG", "a.png", "a.toml"] if is_kept else [], [])


def test_failed_image_takes_a_copy_of_what_must_stay(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """Retried after the other image left with the profile, an image still has its settings."""
    write(settings.folders.inbox, "a.toml")
    first, second = (
        ended(ledger, settings, "a.png", is_good=False),
        ended(ledger, settings, "a.jpg"),
    )
    dispose(publisher, first)
    assert files_in(settings.folders.inbox) == ["a.jpg", "a.toml"]
    dispose(publisher, second)
    record = ["a.png", "a.png.error.json", "a.png.toml"]
    assert places(settings) == ([], ["a.jpg", "a.toml"], record)
    Retrier(settings.folders, ledger, Markers(ledger)).retry(first.id)
    assert files_in(settings.folders.inbox) == ["a.png", "a.png.toml"]
    assert (settings.folders.inbox / "a.png.toml").read_text() == OWN


def test_what_cannot_be_read_is_not_copied(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """A faulty profile of two images stays for the second, and stops neither."""
    (settings.folders.inbox / "a.toml").symlink_to("/etc/passwd")
    write(settings.folders.inbox, "b.toml", content="#" * (PROFILE_BYTES + 1))
    for name in ("a", "b"):
        jobs = [ended(ledger, settings, f"{name}.{end}", is_good=False) for end in ("png", "jpg")]
        dispose(publisher, jobs[0])
        assert f"{name}.png.toml" not in files_in(settings.folders.failed)
        dispose(publisher, jobs[1])
    assert files_in(settings.folders.inbox) == []
    assert {"a.toml", "b.toml"} < set(files_in(settings.folders.failed))
    assert (settings.folders.failed / "a.toml").is_symlink()


def test_new_image_keeps_its_own(settings: Settings, ledger: Ledger, publisher: FileMoves) -> None:
    """A profile beside a picture that was dropped meanwhile belongs to that picture."""
    job = ended(ledger, settings)
    (settings.folders.inbox / "a.png").unlink()
    drop(settings.folders.inbox, "a.png", size=(30, 20))
    write(settings.folders.inbox, "a.toml", "a.png.toml")
    dispose(publisher, job)
    assert places(settings)[0] == ["a.png", "a.png.toml", "a.toml"]
    assert places(settings)[1] == []


def test_no_profile_overwrites_another(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """Where its name is taken, a profile is named after the whole name of its image."""
    write(settings.folders.archive, "a.toml", content="an earlier one's")
    write(settings.folders.inbox, "a.toml")
    dispose(publisher, ended(ledger, settings))
    assert places(settings) == ([], ["a.png", "a.png.toml", "a.toml"], [])
    assert (settings.folders.archive / "a.toml").read_text() == "an earlier one's"
    assert (settings.folders.archive / "a.png.toml").read_text() == OWN


def test_takes_the_name_of_its_image(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """When an image had to be renamed, its profile is renamed too."""
    drop(settings.folders.archive, "a.png")
    write(settings.folders.inbox, "a.toml", "a.png.toml")
    job = dispose(publisher, ended(ledger, settings))
    name = f"a-{job.id[:8]}.png"
    assert job.disposal_rel == name
    assert places(settings)[1] == sorted(["a.png", name, *own_names(name)])


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_of_any_bytes(
    settings: Settings, ledger: Ledger, publisher: FileMoves, name: str
) -> None:
    """Whatever an image is called, its profile goes with it, or no such name is possible."""
    possible = [each for each in own_names(name) if len(os.fsencode(each)) <= 255]
    write(settings.folders.inbox, *possible)
    job = dispose(publisher, ended(ledger, settings, name))
    assert job.disposal_rel is not None
    inbox, archive, _ = places(settings)
    assert inbox == []
    assert len(archive) == 1 + len(possible)
    beside = [each for each in own_names(job.disposal_rel) if each in archive]
    assert len(beside) == len(possible)


def test_image_called_zssr(settings: Settings, ledger: Ledger, publisher: FileMoves) -> None:
    """zssr.toml is the folder's, and never an image's own profile."""
    write(settings.folders.inbox, "zssr.toml", "zssr.png.toml")
    dispose(publisher, ended(ledger, settings, "zssr.png"))
    assert places(settings) == (["zssr.toml"], ["zssr.png", "zssr.png.toml"], [])


def test_folder_of_that_name_stays(tmp_path: Path) -> None:
    """A folder with a profile's name is not a profile, and may hold images."""
    drop(tmp_path / "a.toml", "b.png")
    profile_moves.follow(tmp_path / "a.png", tmp_path / "there" / "a.png", is_shared_out=False)
    profile_moves.remove(tmp_path / "a.png")
    assert files_in(tmp_path) == ["a.toml/b.png"]


@pytest.mark.parametrize(
    ("point", "times", "is_good", "is_far"),
    [
        (point, times, is_good, is_far)
        for is_good, is_far in [(False, False), (True, False), (True, True)]
        for point, times in [
            (Failpoint.MOVED, 1),  # the image is gone, the profile not
            (Failpoint.RESERVED, 2),  # the second is the profile's
            (Failpoint.COPIED, 2),
            (Failpoint.PROFILE_MOVED, 1),
            (Failpoint.DISPOSED, 1),
        ]
        if is_far or point is not Failpoint.COPIED
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
    is_far: bool,
) -> None:
    """After a crash at any step, image and profile end beside each other, whole and once."""
    settings = make_settings(folders={"archive": elsewhere} if is_far else {})
    folders = settings.folders
    write(folders.inbox, "a.toml")
    ended(ledger, settings, is_good=is_good)
    ledger.close()
    paths = map(str, (folders.inbox, folders.archive, folders.state))
    run_killed(DISPOSE, *paths, point=point, times=times)
    again = Ledger.open(folders.state)
    publisher = FileMoves(settings, again)
    for job in again.undisposed():
        dispose(publisher, job)
    assert again.blocking() == []
    again.close()
    archived, failed = ["a.png", "a.toml"], ["a.png", "a.png.error.json", "a.toml"]
    assert places(settings) == (([], archived, []) if is_good else ([], [], failed))
    where = folders.archive if is_good else folders.failed
    assert (where / "a.toml").read_text() == OWN


@pytest.mark.parametrize("has_new_image", [False, True])
def test_killed_while_deleting(
    make_settings: SettingsFactory, ledger: Ledger, has_new_image: bool
) -> None:
    """A profile is deleted with its image, and one that a new image brought is not."""
    settings = make_settings(output={"on_success": "delete"})
    job = ended(ledger, settings)
    (settings.folders.inbox / "a.png").unlink()  # so far it came
    write(settings.folders.inbox, "a.toml")
    if has_new_image:
        drop(settings.folders.inbox, "a.png", size=(30, 20))
    dispose(FileMoves(settings, ledger), job)
    assert files_in(settings.folders.inbox) == (["a.png", "a.toml"] if has_new_image else [])


def test_durable_before_it_is_recorded(
    settings: Settings, ledger: Ledger, publisher: FileMoves, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both folders are synced before the ledger says that the move is done."""
    write(settings.folders.inbox, "a.toml")
    job = ended(ledger, settings)
    calls: list[str] = []
    fsync = os.fsync

    def note(fd: int) -> None:
        calls.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))  # noqa: PTH115, PTH119
        fsync(fd)

    monkeypatch.setattr(os, "fsync", note)
    moved = publisher.disposer.dispose(job)
    assert calls[-4:] == ["archive", "inbox"] * 2  # before, the folder was marked
    assert identity_of(settings.folders.archive / "a.toml").size == len(OWN)
    assert ledger.get(job.id).disposal is None
    assert publisher.disposer.close(moved).disposal == "archive"
