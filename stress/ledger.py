"""Ledger: milliseconds of its calls with 1,000, 10,000 and 100,000 ended jobs in it.

python -m stress.ledger

What runs at each tick or each scan must not grow with the history. In the history most jobs are
done and archived, every hundredth has failed, and a few are live. The ledger lies in a temporary
folder, so the changing calls include that disk's fsync. With `--kept` the history is of
`on_success = "keep"`, where all sources still lie in the inbox.
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.provenance import provenance, save
from zssr_daemon.errors import Reason
from zssr_daemon.ledger.job import LIVE_STATES, Disposal, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.file_identity import FileIdentity

HISTORIES = (1_000, 10_000, 100_000)
LIVE = 20
REPEATS = 30


def main() -> None:
    """Measure each size, print the table, write to bench/results/."""
    options = parse()
    columns = [one_size(history, is_kept=options.kept) for history in HISTORIES]
    show(columns)
    if not options.no_write:
        kind = "_kept" if options.kept else ""
        save({**provenance(), "live": LIVE, "rows": columns}, f"ledger{kind}.json")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kept", action="store_true", help='a history of on_success = "keep"')
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


def one_size(history: int, *, is_kept: bool) -> dict[str, Any]:
    """Return the median milliseconds of each call."""
    with tempfile.TemporaryDirectory(prefix="zssr-ledger-") as folder:
        ledger = Ledger.open(Path(folder))
        fill(ledger, history, is_kept=is_kept)
        row = {"history": history, **measure(ledger)}
        ledger.close()
        row["open_ms"] = milliseconds(lambda: Ledger.open(Path(folder)).close(), repeats=5)
        row["bytes"] = sum(file.stat().st_size for file in Path(folder).iterdir())
    return row


def fill(ledger: Ledger, history: int, *, is_kept: bool) -> None:
    """Add `history` ended and LIVE queued jobs, as the ledger's own calls would leave them.

    With those calls, one commit each, 100,000 jobs would take most of an hour.
    """
    template = end_one(ledger, JobState.DONE, is_kept=is_kept)
    failed = end_one(ledger, JobState.FAILED, is_kept=is_kept)
    names = [row[1] for row in ledger._db.execute("PRAGMA table_info(jobs)")]
    rows = (
        copy_of(failed if number % 100 == 0 else template, names, number)
        for number in range(2, history)
    )
    ledger._db.execute("BEGIN")
    marks = ", ".join("?" for _ in names)
    ledger._db.executemany(f"INSERT INTO jobs VALUES ({marks})", rows)  # noqa: S608
    ledger._db.execute("COMMIT")
    for number in range(LIVE):
        add(ledger, history + number)


def end_one(ledger: Ledger, state: JobState, *, is_kept: bool) -> dict[str, Any]:
    """Run one job through the ledger to its end, and return its row."""
    job = add(ledger, 0 if state is JobState.DONE else 1)
    ledger.claim(now=time.time())
    if state is JobState.DONE:
        ledger.publishing(job.id, out_rel="scan_x2.png", out_sha256="0" * 64)
        ledger.done(job.id, now=time.time())
        ledger.disposed(job.id, Disposal.KEEP if is_kept else Disposal.ARCHIVE)
    else:
        ledger.fail(job.id, now=time.time(), reason=Reason.CORRUPT, message="a block is damaged")
        ledger.disposed(job.id, Disposal.FAILED)
    return dict(ledger._db.execute("SELECT * FROM jobs WHERE id = ?", [job.id]).fetchone())


def copy_of(row: dict[str, Any], names: list[str], number: int) -> list[Any]:
    """Return a row like `row`, but of another file."""
    own = {"id": uuid.uuid4().hex, "ino": str(number), "src_rel": name_of(number).encode()}
    return [own.get(name, row[name]) for name in names]


def name_of(number: int) -> str:
    """Return the path of a source below the inbox."""
    return f"box {number // 500:03}/scan_{number:06}.tif"


def identity_of(number: int) -> FileIdentity:
    """Return the identity of the file of this number."""
    return FileIdentity(dev=1, ino=number, size=1000, mtime_ns=10**18)


def add(ledger: Ledger, number: int) -> Any:
    """Queue the file of this number."""
    return ledger.add(
        name_of(number),
        identity_of(number),
        now=time.time(),
        sha256="0" * 64,
        width=1000,
        height=700,
    )


def measure(ledger: Ledger) -> dict[str, float]:
    """Return the median milliseconds of each call, on the filled ledger."""
    numbers = count(10**7)
    live = ledger.in_state(JobState.QUEUED)[0]
    done = ledger.newest(JobState.DONE, limit=1)[0]

    def claim_and_put_back() -> None:
        job = ledger.claim(now=time.time())
        assert job is not None
        ledger.requeue(job.id)

    calls: dict[str, Callable[[], object]] = {
        "get": lambda: ledger.get(live.id),
        "is_blocking": lambda: ledger.is_blocking(live.identity),
        "is_kept": lambda: ledger.is_kept(done.identity),
        "is_kept, unknown file": lambda: ledger.is_kept(identity_of(10**9)),
        "blocking (each scan)": ledger.blocking,
        "undisposed": ledger.undisposed,
        "count queued (each tick)": lambda: ledger.count(JobState.QUEUED),
        "count live (--once)": lambda: ledger.count(*LIVE_STATES),
        "newest 50 (`jobs`)": lambda: ledger.newest(limit=50),
        "newest 50 failed": lambda: ledger.newest(JobState.FAILED, limit=50),
        "find by id (`jobs ID`)": lambda: ledger.find(live.id[:8]),
        "claim, requeue": claim_and_put_back,
        "add": lambda: add(ledger, next(numbers)),
    }
    return {f"{name}, ms": milliseconds(call) for name, call in calls.items()}


def milliseconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of one call."""
    spent_s = []
    for _ in range(repeats):
        started_s = time.perf_counter()
        call()
        spent_s.append(time.perf_counter() - started_s)
    return round(1000 * median(spent_s), 3)


def show(columns: list[dict[str, Any]]) -> None:
    """Print one row for each call, one column for each size."""
    table = Table("", *(f"{column['history']:,} jobs" for column in columns))
    for name in columns[0]:
        if name != "history":
            table.add_row(name, *(f"{column[name]:,}" for column in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
