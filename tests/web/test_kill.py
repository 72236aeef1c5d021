"""The page's process killed amid an upload: nothing half is ever in the inbox."""

from pathlib import Path

from tests.parts.raw_page import RawPage, status_of
from zssr_daemon.failpoints import Failpoint

PNG = (Path(__file__).parents[1] / "data" / "butterfly_lr.png").read_bytes()


POINTS = (
    Failpoint.UPLOAD_BEGUN,
    Failpoint.UPLOAD_SYNCED,
    Failpoint.LINKED,
    Failpoint.UPLOADED,
)


def test_nothing_half_in_the_inbox(tmp_path: Path) -> None:
    """A file has its name whole or not at all, and the next start takes away what is left."""
    batches = {}
    for point in POINTS:
        with RawPage(tmp_path, kill_at=point) as page:
            batches[point] = page.batch()
            assert page.put(batches[point], "a.png", PNG) == b"", point
        named = [path.read_bytes() for path in visible(tmp_path, batches[point])]
        is_named = point in {Failpoint.LINKED, Failpoint.UPLOADED}
        assert named == [PNG] * is_named, point
    with RawPage(tmp_path) as page:
        assert list((tmp_path / "inbox").rglob(".*")) == []
        statuses = [status_of(page.put(batches[point], "a.png", PNG)) for point in POINTS]
        assert statuses == [201, 201, 409, 409]
    for batch in batches.values():
        assert [path.read_bytes() for path in visible(tmp_path, batch)] == [PNG]


def visible(root: Path, batch: str) -> list[Path]:
    """Return the files of a batch that the daemon would look at."""
    found = (root / "inbox" / "web" / batch).iterdir()
    return [path for path in found if path.suffix == ".png" and not path.name.startswith(".")]
