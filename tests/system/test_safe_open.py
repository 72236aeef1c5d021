"""Opening sources: only regular files, and never through a link."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zssr_daemon.errors import ImageError
from zssr_daemon.system import safe_open
from zssr_daemon.system.safe_open import open_source, read_small

HOSTILE_NAMES = [b"\xff\n.png", b"a" * 255, b"-rf.png", b" .png", b"$(x);'\"*.png", b"\xc3\x28"]


@contextmanager
def opened(root: Path, rel_path: str) -> Iterator[int]:
    """Open and close."""
    fd = open_source(root, rel_path)
    try:
        yield fd
    finally:
        os.close(fd)


def assert_unsafe(root: Path, rel_path: str) -> None:
    """Check that a path is refused, and that no descriptor is left open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ImageError) as caught:
        open_source(root, rel_path)
    assert caught.value.reason == "unsafe_file"
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_any_bytes_are_a_name(tmp_path: Path, name: bytes) -> None:
    """Names are bytes; none of them is special."""
    path = os.fsencode(tmp_path) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(b"content")
    with opened(tmp_path, os.fsdecode(name)) as fd:
        assert os.read(fd, 10) == b"content"


def test_sub_folders_are_walked(tmp_path: Path) -> None:
    """A path may have several components."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.png").write_bytes(b"content")
    with opened(tmp_path, "a/b/c.png") as fd:
        assert os.read(fd, 10) == b"content"


def test_descriptor_is_not_inherited(tmp_path: Path) -> None:
    """A child process gets no source by accident."""
    (tmp_path / "a.png").write_bytes(b"content")
    with opened(tmp_path, "a.png") as fd:
        assert not os.get_inheritable(fd)


def test_root_may_be_a_link(tmp_path: Path) -> None:
    """The operator chose the root, wherever it leads."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")
    with opened(tmp_path / "link", "a.png") as fd:
        assert os.read(fd, 10) == b"content"


def test_hard_link_is_read(tmp_path: Path) -> None:
    """A second name of a regular file is a regular file."""
    (tmp_path / "a.png").write_bytes(b"content")
    os.link(tmp_path / "a.png", tmp_path / "b.png")
    with opened(tmp_path, "b.png") as fd:
        assert os.read(fd, 10) == b"content"


def test_links_are_refused(tmp_path: Path) -> None:
    """A link, as the file or on the way to it, could lead anywhere."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"content")
    (tmp_path / "file.png").symlink_to("real/a.png")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "dangling.png").symlink_to("nowhere")
    for rel_path in ("file.png", "folder/a.png", "dangling.png"):
        assert_unsafe(tmp_path, rel_path)


def test_special_files_are_refused_at_once(tmp_path: Path) -> None:
    """A fifo without a writer blocks nobody; folders and sockets are no images."""
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.png"))
        for name in ("fifo.png", "folder.png", "socket.png", "fifo.png/a.png"):
            assert_unsafe(tmp_path, name)


@pytest.mark.parametrize("rel_path", ["", ".", "..", "../a", "a/../b", "/etc/passwd", "a//b", "a/"])
def test_paths_that_climb_are_refused(tmp_path: Path, rel_path: str) -> None:
    """Only plain relative paths stay below the root."""
    assert_unsafe(tmp_path, rel_path)


@pytest.mark.parametrize("rel_path", ["gone.png", "gone/a.png"])
def test_missing_file_passes_through(tmp_path: Path, rel_path: str) -> None:
    """A file that is gone has no fault."""
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path, rel_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_passes_through(tmp_path: Path) -> None:
    """Permissions are the folder's matter, not the image's."""
    (tmp_path / "a.png").touch(mode=0)
    with pytest.raises(PermissionError):
        open_source(tmp_path, "a.png")


def test_small_file_is_read_up_to_one_byte_too_many(tmp_path: Path) -> None:
    """So that the caller knows it is too large, and no file fills the memory."""
    (tmp_path / "a").write_bytes(b"12345")
    assert read_small(tmp_path, "a", 5) == b"12345"
    assert read_small(tmp_path, "a", 4) == b"12345"
    assert read_small(tmp_path, "a", 3) == b"1234"


@pytest.mark.parametrize("name", ["gone", "no/such/folder", "a" * 300])
def test_small_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    """There is none, also where the name is too long for one."""
    assert read_small(tmp_path, name, 5) is None


def test_small_file_is_no_link(tmp_path: Path) -> None:
    """Even if it leads nowhere."""
    (tmp_path / "a").symlink_to(tmp_path / "gone")
    with pytest.raises(ImageError) as caught:
        read_small(tmp_path, "a", 5)
    assert caught.value.reason == "unsafe_file"


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_other_errors_of_a_small_file_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What they mean is for the caller to judge."""

    def failing(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    (tmp_path / "a").write_bytes(b"")
    monkeypatch.setattr(safe_open, "open_source", failing)
    with pytest.raises(OSError, match=os.strerror(number)):
        read_small(tmp_path, "a", 5)
