"""The listing: every job once, whatever the pages, in the order that the list promises."""

import pytest

from tests.parts.ledger_parts import add, file_id
from zssr_daemon.errors import Reason
from zssr_daemon.ledger.admission import Admission
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger

#: Several jobs have the same moment, as after a burst.
MOMENTS = (1.0, 2.0, 2.0, 2.0, 3.0, 3.0)


def names(jobs: list[Job]) -> list[str]:
    """Return the paths of jobs, without their ending."""
    return [job.src_rel.removesuffix(".png") for job in jobs]


def all_pages(ledger: Ledger, state: JobState | None = None, below: str | None = None) -> list[str]:
    """Read a list in pages of two."""
    found: list[Job] = []
    after = None
    while True:
        page = ledger.listing.page(state, below=below, after=after, limit=2)
        assert len(page.jobs) == 2 or page.next is None
        found += page.jobs
        after = page.next
        if after is None:
            return names(found)


def test_queue_is_listed_as_it_is_claimed(ledger: Ledger) -> None:
    """The higher lane first, then the oldest; each job's place is its place in that list."""
    for number, moment in enumerate(MOMENTS):
        add(ledger, number, now=moment)
    for number in (6, 7, 8):
        ledger.admissions.keep(file_id(number), Admission(lane=number % 2, result_kept_s=None))
        add(ledger, number, now=9.0)
    order = all_pages(ledger, JobState.QUEUED)
    assert order == ["7", "0", "1", "2", "3", "4", "5", "6", "8"]
    jobs = ledger.listing.page(JobState.QUEUED).jobs
    places = ledger.listing.places(jobs[::-1])
    assert [places[job.id] for job in jobs] == list(range(1, 10))
    assert [ledger.listing.place(job) for job in jobs] == list(range(1, 10))
    claimed = [ledger.claim(now=10.0) for _ in jobs]
    assert names([job for job in claimed if job]) == order


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
def test_ended_jobs_are_listed_last_first(ledger: Ledger, state: JobState) -> None:
    """By their ends, not by the times at which they were queued."""
    jobs = [add(ledger, number, now=100.0 - number) for number in range(len(MOMENTS))]
    for job, moment in zip(jobs, MOMENTS, strict=True):
        if state is JobState.DONE:
            ledger.done(job.id, now=moment)
        else:
            ledger.fail(job.id, now=moment, reason=Reason.CORRUPT, message="m")
    assert all_pages(ledger, state) == ["5", "4", "3", "2", "1", "0"]
    assert ledger.listing.places(jobs) == {}


def test_jobs_of_all_states_are_listed_newest_first(ledger: Ledger) -> None:
    """So are those in work."""
    for number, moment in enumerate(MOMENTS):
        add(ledger, number, now=moment)
    for _ in range(3):
        ledger.claim(now=10.0)
    assert all_pages(ledger) == ["5", "4", "3", "2", "1", "0"]
    assert all_pages(ledger, JobState.RUNNING) == ["2", "1", "0"]


def test_folder_is_listed_by_path(ledger: Ledger) -> None:
    """Deeper folders belong to it, namesakes with more letters do not; any bytes are legal."""
    paths = ("web/b", "web/\udcff", "web-2/a", "web", "web/a", "web/deep/er/c", "we/a", "web0/a")
    for number, path in enumerate(paths):
        ledger.add(f"{path}.png", file_id(number), now=1.0)
    order = ["web/a", "web/b", "web/deep/er/c", "web/\udcff"]
    assert all_pages(ledger, below="web") == order
    assert all_pages(ledger, JobState.QUEUED, below="web/") == order
    assert all_pages(ledger, JobState.DONE, below="web") == []
    assert all_pages(ledger, below="web/deep") == ["web/deep/er/c"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "7", "[]", "[1.0]", "[1, 2, 3]", '["a", 1]', "[null, 1]"]
)
def test_what_is_no_cursor_is_refused(ledger: Ledger, cursor: str) -> None:
    """A caller that makes one up learns so."""
    with pytest.raises(ValueError):
        ledger.listing.page(after=cursor)


def test_how_fast_the_queue_moves(ledger: Ledger) -> None:
    """Jobs done since a moment are counted, and the mean is of their last attempts."""
    assert ledger.listing.job_takes_s() is None
    for number in range(3):
        add(ledger, number)
        job = ledger.claim(now=10.0 * number)
        assert job is not None
        ledger.done(job.id, now=10.0 * number + number + 1)
    assert ledger.listing.done_since(12.0) == 2
    assert ledger.listing.job_takes_s() == pytest.approx(2.0)
