"""InboxScan: which files of the inbox are candidates, and which are reported as no images."""

import os
from pathlib import Path

import pytest

from tests.parts.daemon_parts import (
    DEPTH,
    HOSTILE_NAMES,
    deeply_nested,
    drop,
    identity_of,
)
from zssr_daemon.inbox.scan import Candidate, InboxScan

PNG_HEAD = b"\x89PNG\r\n\x1a\n" + bytes(8)


def scan(inbox: Path, *, is_recursive: bool = True, ignore: tuple[str, ...] = ()) -> InboxScan:
    """Return a scan of `inbox`."""
    return InboxScan(inbox, is_recursive=is_recursive, ignore=ignore)


def found(inbox: Path, *, is_recursive: bool = True, ignore: tuple[str, ...] = ()) -> list[str]:
    """Return the paths of all candidates."""
    return sorted(c.rel for c in scan(inbox, is_recursive=is_recursive, ignore=ignore))


class TestInboxScan:
    """Every file that may be an image is found, whatever its name."""

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_any_name_is_found(self, tmp_path: Path, name: str) -> None:
        """A name is bytes: one that is a pattern, an option or not text is found like any other."""
        path = drop(tmp_path, f"sub/{name}")
        (candidate,) = scan(tmp_path)
        assert candidate == Candidate(f"sub/{name}", identity_of(path), is_empty=False)
        assert scan(tmp_path).look(f"sub/{name}") == candidate

    @pytest.mark.parametrize(
        "name",
        [
            ".hidden.png",
            "~$a.png",
            "a.png.tmp",
            "a.png.part",
            "a.png.crdownload",
            ".syncthing.a.png.tmp",
            "~syncthing~a.png",
            "Thumbs.db",
            ".DS_Store",
            "a.toml",
            "a.png.error.json",
            ".stfolder/a.png",
            ".Trash-1000/a.png",
            "@eaDir/a.png",
            "#recycle/a.png",
            "__MACOSX/a.png",
            "a.png.PART",
            "A.TMP",
            "a.png.Crdownload",
            "a.png.opdownload",
            "a.png.upload",
            "a.png.!qB",
            "a.png.!ut",
            "a.png.bc!",
            "a.png.aria2",
            "a.png.sb-1a2b3c4d-x5Yz6w",
            "a.png~",
            "#a.png#",
            "$RECYCLE.BIN/a.png",
            "System Volume Information/a.png",
            "FOUND.000/a.png",
            "lost+found/a.png",
            "#snapshot/a.png",
            "@EADIR/a.png",
            "Network Trash Folder/a.png",
            "Temporary Items/a.png",
            ".Spotlight-V100/a.png",
            "A.TOML",
            "mine.png",
            "MINE_too/a.png",
        ],
    )
    def test_temporary_files_are_passed_over(self, tmp_path: Path, name: str) -> None:
        """They are neither candidates nor reported, even when they hold a picture."""
        drop(tmp_path, name)
        drop(tmp_path, "a.png")
        scanned = scan(tmp_path, ignore=("mine*",))
        assert [candidate.rel for candidate in scanned] == ["a.png"]
        assert scanned.ignored == []

    @pytest.mark.parametrize(
        "name", ["#1.png", "a~b.png", "$a.png", "upload.png", "found.png", "tmp", "a.png#"]
    )
    def test_pictures_with_similar_names_are_found(self, tmp_path: Path, name: str) -> None:
        """A pattern matches a whole name, and no picture is left out for a part of it."""
        (tmp_path / name).write_bytes(PNG_HEAD)
        assert found(tmp_path) == [name]

    def test_magic_makes_a_candidate(self, tmp_path: Path) -> None:
        """An image without a suffix, or with a wrong one, is an image."""
        for name in ("plain", "odd.txt"):
            (tmp_path / name).write_bytes(PNG_HEAD)
        assert found(tmp_path) == ["odd.txt", "plain"]

    def test_other_files_are_told_of_once(self, tmp_path: Path) -> None:
        """A text is ignored, and reported a single time, changed or not."""
        notes = tmp_path / "notes.txt"
        notes.write_text("hello")
        scanned = scan(tmp_path)
        assert list(scanned) == []
        assert scanned.ignored == ["notes.txt"]
        scanned.ignored.clear()
        notes.write_text("hello again")
        assert list(scanned) == []
        assert scanned.ignored == []

    def test_other_files_are_counted(self, tmp_path: Path) -> None:
        """The count is that of the last scan: what is gone counts no more."""
        for name in ("notes.txt", "sub/more.txt", "upload"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("hello")
        drop(tmp_path, "a.png")
        scanned = scan(tmp_path)
        assert scanned.passed_over == 0
        list(scanned)
        assert scanned.passed_over == 3
        list(scanned)
        assert scanned.passed_over == 3
        (tmp_path / "notes.txt").unlink()
        (tmp_path / "upload").write_bytes(PNG_HEAD)
        list(scanned)
        assert scanned.passed_over == 1

    @pytest.mark.parametrize("head", [b"8BPS\0\x01" + bytes(20), b"IIU\0" + bytes(20)])
    def test_an_image_that_is_not_read_is_a_candidate(self, tmp_path: Path, head: bytes) -> None:
        """The gate refuses it with a reason; it does not lie in the inbox for ever."""
        (tmp_path / "a.psd").write_bytes(head)
        assert found(tmp_path) == ["a.psd"]

    @pytest.mark.parametrize(
        "head", [b"%PDF-1.7\n", b"<svg xmlns='x'/>", b"PK\x03\x04", b"IIII, a list"]
    )
    def test_documents_are_no_images(self, tmp_path: Path, head: bytes) -> None:
        """PDF, vector pictures, archives and texts stay where they are."""
        (tmp_path / "a").write_bytes(head)
        assert found(tmp_path) == []

    def test_ignored_file_may_become_an_image(self, tmp_path: Path) -> None:
        """A judgement holds only for the content it was made on."""
        path = tmp_path / "upload"
        path.write_bytes(b"not yet")
        scanned = scan(tmp_path)
        assert list(scanned) == []
        path.write_bytes(PNG_HEAD)
        assert [candidate.rel for candidate in scanned] == ["upload"]

    def test_special_files_with_an_image_name_are_candidates(self, tmp_path: Path) -> None:
        """They are refused later, with a reason; the scan does not open them."""
        os.mkfifo(tmp_path / "fifo.png")
        (tmp_path / "link.png").symlink_to("/etc/passwd")
        (tmp_path / "folder.png").symlink_to(tmp_path)
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "link").symlink_to("/etc/passwd")
        assert {c.rel: c.is_empty for c in scan(tmp_path)} == {
            "fifo.png": False,
            "link.png": False,
            "folder.png": False,
        }

    def test_empty_file_is_marked(self, tmp_path: Path) -> None:
        """A file without content is still to be written."""
        (tmp_path / "a.png").touch()
        assert [c.is_empty for c in scan(tmp_path)] == [True]

    def test_sub_folders_when_asked_for(self, tmp_path: Path) -> None:
        """`recursive` decides; a folder is never taken for a file, whatever it is called."""
        drop(tmp_path, "sub.png/deep/a.png")
        drop(tmp_path, "b.png")
        assert found(tmp_path) == ["b.png", "sub.png/deep/a.png"]
        assert found(tmp_path, is_recursive=False) == ["b.png"]

    def test_depth_has_no_limit(self, tmp_path: Path) -> None:
        """Folders nested deeper than an interpreter's stack do not end the daemon."""
        with deeply_nested(tmp_path, "a.png"):
            assert [rel.count("/") for rel in found(tmp_path)] == [DEPTH]

    def test_missing_inbox_is_an_error(self, tmp_path: Path) -> None:
        """An unmounted inbox is not an empty one."""
        with pytest.raises(FileNotFoundError):
            list(scan(tmp_path / "gone"))

    def test_look_at_what_is_gone(self, tmp_path: Path) -> None:
        """A file that vanished, or whose folder is a file now, is no candidate and no error."""
        (tmp_path / "file").touch()
        for rel in ("gone.png", "gone/a.png", "file/a.png", "x" * 300 + ".png"):
            assert scan(tmp_path).look(rel) is None

    def test_file_that_vanishes_between_two_looks(self, tmp_path: Path) -> None:
        """Files that vanish during the scan do not end it."""
        for name in ("a.png", "b.png", "c"):
            (tmp_path / name).write_bytes(PNG_HEAD)
        candidates = iter(scan(tmp_path))
        next(candidates)
        for path in tmp_path.iterdir():
            path.unlink()
        assert [candidate.rel for candidate in candidates if candidate.rel == "c"] == []


class TestLinks:
    """A link is never followed; one that is passed over is told once and counted."""

    def test_are_told_once(self, tmp_path: Path) -> None:
        """To a folder, to a file without an image's ending, to nothing; also in a sub-folder."""
        away = tmp_path / "away"
        away.mkdir()
        drop(away)
        inbox = tmp_path / "inbox"
        (inbox / "sub").mkdir(parents=True)
        for name, target in (("scans", away), ("sub/upload", away / "a.png"), ("sub/broken", "-")):
            (inbox / name).symlink_to(target)
        links = scan(inbox)
        for new in (["scans", "sub/broken", "sub/upload"], []):
            assert list(links) == []
            assert links.new_links == new
            assert len(links.links) == 3
            links.new_links.clear()
        (inbox / "scans").unlink()
        assert list(links) == []
        assert len(links.links) == 2

    def test_to_folders_where_folders_are_not_entered(self, tmp_path: Path) -> None:
        """Without `recursive` no folder is looked into, so a link to one hides nothing."""
        (tmp_path / "folder").mkdir()
        (tmp_path / "link").symlink_to("folder")
        (tmp_path / "upload").symlink_to("folder/a.png")
        links = scan(tmp_path, is_recursive=False)
        assert list(links) == []
        assert links.new_links == ["upload"]
