"""Durable file operations, on real files: nothing is overwritten or seen half done."""

import errno
import os
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, deeply_nested, files_in
from zssr_daemon.system import durable
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.file_names import leaving_beside

#: A file that is nowhere.
NOWHERE = FileIdentity(dev=0, ino=0, size=0, mtime_ns=0)


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer like a file system without hard links, which cannot be mounted here."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def write(path: Path, content: bytes = b"content") -> Path:
    """Write a file."""
    path.write_bytes(content)
    return path


def move(source: Path, target: Path, *, may_be_reserved: bool = False) -> None:
    """Move the file that lies at `source` now."""
    identity = durable.identity_of(source) or NOWHERE
    durable.move_no_replace(source, target, identity=identity, may_be_reserved=may_be_reserved)


def test_link_gives_the_part_its_name(tmp_path: Path) -> None:
    """Afterwards the file has its final name, and the part is gone."""
    durable.link_no_replace(write(tmp_path / "part"), tmp_path / "final")
    assert files_in(tmp_path) == ["final"]
    assert (tmp_path / "final").read_bytes() == b"content"


def test_link_never_overwrites(tmp_path: Path) -> None:
    """A taken name is an error, and both files are as they were."""
    part, final = write(tmp_path / "part"), write(tmp_path / "final", b"older")
    with pytest.raises(FileExistsError):
        durable.link_no_replace(part, final)
    assert (part.read_bytes(), final.read_bytes()) == (b"content", b"older")


def test_link_without_hard_links(tmp_path: Path, no_links: None) -> None:
    """Without hard links the name is reserved first, so that no file is overwritten."""
    durable.link_no_replace(write(tmp_path / "part"), tmp_path / "final")
    assert files_in(tmp_path) == ["final"]
    part = write(tmp_path / "part", b"new")
    for other in (b"older", b""):
        write(tmp_path / "final", other)
        with pytest.raises(FileExistsError):
            durable.link_no_replace(part, tmp_path / "final")
    durable.link_no_replace(part, tmp_path / "final", may_be_reserved=True)
    assert (tmp_path / "final").read_bytes() == b"new"


def test_reservation_takes_only_an_empty_file(tmp_path: Path, no_links: None) -> None:
    """Going on after a crash never replaces what has content."""
    part, final = write(tmp_path / "part"), write(tmp_path / "final", b"older")
    with pytest.raises(FileExistsError):
        durable.link_no_replace(part, final, may_be_reserved=True)
    assert final.read_bytes() == b"older"


def test_other_errors_of_link_are_told(tmp_path: Path) -> None:
    """When the folder is missing, no other way is tried."""
    with pytest.raises(FileNotFoundError):
        durable.link_no_replace(write(tmp_path / "part"), tmp_path / "gone" / "final")
    assert files_in(tmp_path) == ["part"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_move_within_a_file_system(tmp_path: Path, name: str) -> None:
    """The file is under its new name and no longer under the old one."""
    (tmp_path / "to").mkdir()
    source = write(tmp_path / name)
    move(source, tmp_path / "to" / name)
    assert files_in(tmp_path) == [f"to/{name}"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_move_across_file_systems(tmp_path: Path, elsewhere: Path, name: str) -> None:
    """The content arrives, the times too, and no temporary file stays on either side."""
    source = write(tmp_path / name)
    os.utime(source, (1000, 1000))
    move(source, elsewhere / name)
    assert (files_in(tmp_path), files_in(elsewhere)) == ([], [name])
    assert (elsewhere / name).read_bytes() == b"content"
    assert (elsewhere / name).stat().st_mtime == 1000


@pytest.mark.parametrize("is_far", [False, True])
def test_move_never_overwrites(tmp_path: Path, elsewhere: Path, is_far: bool) -> None:
    """A taken name is an error, an empty file and a dangling link included."""
    folder = elsewhere if is_far else tmp_path
    source = write(tmp_path / "source")
    (folder / "link").symlink_to("nowhere")
    for target in (write(folder / "a"), write(folder / "b", b""), folder / "link"):
        with pytest.raises(FileExistsError):
            move(source, target)
    with pytest.raises(FileExistsError):
        move(source, write(folder / "c", b"other"), may_be_reserved=True)
    assert source.read_bytes() == b"content"


def test_interrupted_move_goes_on(tmp_path: Path) -> None:
    """The empty file of an earlier try is taken over."""
    source, target = write(tmp_path / "source"), write(tmp_path / "target", b"")
    move(source, target, may_be_reserved=True)
    assert files_in(tmp_path) == ["target"]
    assert target.read_bytes() == b"content"


@pytest.mark.parametrize("is_far", [False, True])
def test_failed_move_leaves_no_reservation(tmp_path: Path, elsewhere: Path, is_far: bool) -> None:
    """When the source is gone, the reserved name is free again."""
    target = (elsewhere if is_far else tmp_path) / "target"
    with pytest.raises(durable.ReplacedError):
        move(tmp_path / "gone", target)
    assert (files_in(tmp_path), files_in(elsewhere)) == ([], [])


@pytest.mark.parametrize("is_far", [False, True])
def test_another_file_is_not_moved(tmp_path: Path, elsewhere: Path, is_far: bool) -> None:
    """Another file in the source's place stays there, and the reserved name is free again."""
    source = write(tmp_path / "source")
    meant = durable.identity_of(source)
    assert meant is not None
    write(tmp_path / "newer", b"newer").replace(source)
    target = (elsewhere if is_far else tmp_path) / "target"
    with pytest.raises(durable.ReplacedError):
        durable.move_no_replace(source, target, identity=meant)
    assert source.read_bytes() == b"newer"
    assert not target.exists()


class Exchange:
    """Puts another file in a source's place just when it is to be renamed."""

    def __init__(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._source, self._monkeypatch = source, monkeypatch
        self._replace = os.replace
        monkeypatch.setattr(os, "replace", self)

    def __call__(self, source: Path, target: Path) -> None:
        if source == self._source:
            self._monkeypatch.setattr(os, "replace", self._replace)
            self._replace(write(source.with_name("newer"), b"newer"), source)
        self._replace(source, target)


def test_exchange_at_the_last_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that comes between the check and the rename is put back where it was dropped."""
    source = write(tmp_path / "source")
    Exchange(source, monkeypatch)
    with pytest.raises(durable.ReplacedError):
        move(source, tmp_path / "target")
    assert files_in(tmp_path) == ["source"]
    assert source.read_bytes() == b"newer"


def test_exchange_before_a_deletion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the file that was meant is deleted, never the one that took its place."""
    source = write(tmp_path / "source")
    meant = durable.identity_of(source)
    assert meant is not None
    Exchange(source, monkeypatch)
    with pytest.raises(durable.ReplacedError):
        durable.remove_exactly(source, meant)
    assert files_in(tmp_path) == ["source"]
    assert source.read_bytes() == b"newer"


def test_name_that_is_taken_when_a_file_comes_back(tmp_path: Path) -> None:
    """Both files stay; the one that is put back gets a similar name."""
    moved, former = write(tmp_path / "moved", b"first"), write(tmp_path / "a.png", b"second")
    durable.put_back(moved, former)
    assert former.read_bytes() == b"second"
    (other,) = [name for name in files_in(tmp_path) if name != "a.png"]
    assert (tmp_path / other).read_bytes() == b"first"
    assert (other[:2], other[-4:]) == ("a-", ".png")


def test_interrupted_deletion_goes_on(tmp_path: Path) -> None:
    """A file that a crash left renamed is deleted; a new one of its name stays."""
    source = write(tmp_path / "a.png")
    meant = durable.identity_of(source)
    assert meant is not None
    source.replace(tmp_path / leaving_beside("a.png"))
    write(source, b"newer")
    durable.remove_exactly(source, meant)
    assert files_in(tmp_path) == ["a.png"]
    assert source.read_bytes() == b"newer"


def test_interrupted_copy_goes_on(tmp_path: Path, elsewhere: Path) -> None:
    """A copy made before a crash is not made a second time."""
    source, target = write(tmp_path / "source"), write(elsewhere / "target")
    move(source, target, may_be_reserved=True)
    assert (files_in(tmp_path), files_in(elsewhere)) == ([], ["target"])


@pytest.mark.parametrize("kind", ["link", "fifo"])
@pytest.mark.parametrize("is_far", [False, True])
def test_special_files_are_moved(tmp_path: Path, elsewhere: Path, kind: str, is_far: bool) -> None:
    """A link or fifo leaves the inbox without being followed or opened."""
    folder = elsewhere if is_far else tmp_path
    secret = write(tmp_path / "secret", b"secret")
    source = tmp_path / "source.png"
    source.symlink_to(secret) if kind == "link" else os.mkfifo(source)
    target = folder / "target.png"
    move(source, target)
    assert not os.path.lexists(source)
    assert os.path.lexists(target)
    assert target.is_symlink() == (kind == "link")
    assert secret.read_bytes() == b"secret"
    assert not [name for name in files_in(folder) if name.endswith(".part")]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_write_new_replaces_as_a_whole(tmp_path: Path, name: str) -> None:
    """A reader sees the old content or the new, and no temporary file stays."""
    for content in (b"old", b"new"):
        durable.write_new(tmp_path / name, content)
        assert (tmp_path / name).read_bytes() == content
    assert files_in(tmp_path) == [name]


def test_make_folder_makes_parents(tmp_path: Path) -> None:
    """Every missing level is made, those that exist stay."""
    for _ in range(2):
        durable.make_folder(tmp_path / "a" / "b" / "c", below=tmp_path)
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_make_folder_never_makes_its_root(tmp_path: Path) -> None:
    """A root that is gone was unmounted: filling the mount point would hide the pictures."""
    with pytest.raises(FileNotFoundError):
        durable.make_folder(tmp_path / "gone" / "a", below=tmp_path / "gone")
    assert not (tmp_path / "gone").exists()


def test_files_below_knows_no_depth(tmp_path: Path) -> None:
    """Folders nest deeper than an interpreter's stack; links to folders are not followed."""
    (tmp_path / "loop").symlink_to(tmp_path)
    with deeply_nested(tmp_path, "deep"):
        found = sorted(path.name for path in durable.files_below(tmp_path))
    assert found == ["deep", "loop"]


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    """The known digest of "abc" comes out (FIPS 180-2)."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert durable.sha256_of(write(tmp_path / "a", b"abc")) == expected
