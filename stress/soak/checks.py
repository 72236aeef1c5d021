"""The soak's checks: while it runs, no picture may be missing; at its end, all must be in order."""

import hashlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from stress.soak.books import Books, Content
from stress.soak.pictures import recognise

FOLDERS = ("inbox", "output", "archive", "failed")

#: A good picture may fail for these alone: its worker was killed at each of its attempts.
_KILLED_REASONS = frozenset({"worker_crash", "interrupted"})
_ERROR_SUFFIX = ".error.json"

#: A file renamed within the inbox can be missed by a look at all names.
_LOOKS = 4


def missing(root: Path, books: Books) -> list[str]:
    """Return what has neither its original nor an output, in a look now."""
    candidates = books.settled()
    for _ in range(_LOOKS):
        # In this order: a source only ever goes from the inbox to one of the others.
        places = (root / name for name in ("inbox", "archive", "failed"))
        inodes = {entry.inode() for place in places for entry in _entries(place)}
        candidates = [entry for entry in candidates if _is_missing(entry, inodes)]
        if not candidates:
            return []
        time.sleep(0.05)
    shown = _outputs(root / "output")[0]
    return [
        f"neither original nor output: {entry}"
        for entry in candidates
        if _is_missing(entry, set()) and entry.number not in shown
    ]


def _is_missing(entry: Content, inodes: set[int]) -> bool:
    return entry.inode is not None and entry.inode not in inodes


def final(root: Path, books: Books) -> tuple[dict[str, Any], list[str]]:
    """Compare the folders and the ledger with the books; return the results and what is wrong."""
    outputs, wrong = _outputs(root / "output")
    archived, strange = _by_number(root / "archive", books)
    failed, strange_failed = _by_number(root / "failed", books)
    reasons = _reasons(root / "failed")
    wrong += [f"unknown content: {path}" for path in strange + strange_failed]
    for entry in books.contents.values():
        wrong += _judge(entry, outputs[entry.number], archived[entry.number], failed, reasons)
    wrong += _judge_refused(root / "failed", books)
    wrong += _rests(root, books)
    wrong += _judge_ledger(root)
    told = Counter(reasons.get(path, "no record") for paths in failed.values() for path in paths)
    results = {"done": outputs.total(), "failed": dict(told), "refused": len(books.refused)}
    return results, wrong


def _judge(
    entry: Content,
    outputs: int,
    archived: list[Path],
    failed: dict[int, list[Path]],
    reasons: dict[Path, str],
) -> list[str]:
    """Say what is wrong with the end of one content."""
    records = failed[entry.number]
    wrong = []
    if not entry.least <= outputs + len(records) <= entry.most:
        wanted = f"{entry.least} to {entry.most}"
        wrong.append(f"{entry}: {outputs} outputs and {len(records)} failures, not {wanted}")
    if len(archived) > outputs or (len(archived) < outputs and entry.least):
        wrong.append(f"{entry}: {outputs} outputs, but {len(archived)} originals in the archive")
    if outputs and not entry.is_good:
        wrong.append(f"{entry}: came out enlarged")
    for path in records:
        reason = reasons.get(path, "no record")
        if reason == "no record" or (entry.is_good and reason not in _KILLED_REASONS):
            wrong.append(f"{entry}: failed as {reason}")
    return wrong


def _outputs(folder: Path) -> tuple[Counter[int], list[str]]:
    """Count the outputs by the number they show."""
    found: Counter[int] = Counter()
    wrong = []
    for path in visible(folder):
        try:
            with Image.open(path) as picture:
                number = recognise(picture)
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            number = None
            wrong.append(f"no whole picture: {path.name!r}: {error}")
        if number is None:
            wrong.append(f"shows no number, or in a wrong size: {path.name!r}")
        else:
            found[number] += 1
    return found, wrong


def _by_number(folder: Path, books: Books) -> tuple[dict[int, list[Path]], list[Path]]:
    """Return the originals by number, and those whose bytes nobody has dropped."""
    found: dict[int, list[Path]] = {number: [] for number in books.contents}
    strange = []
    for path in visible(folder):
        if path.name.endswith(_ERROR_SUFFIX) or path.name in books.refused:
            continue
        number = books.number_of_sha256.get(hashlib.sha256(path.read_bytes()).hexdigest())
        if number is None:
            strange.append(path)
        else:
            found[number].append(path)
    return found, strange


def _reasons(folder: Path) -> dict[Path, str]:
    """Return the reason in the record beside each failed file."""
    records = (path for path in visible(folder) if path.name.endswith(_ERROR_SUFFIX))
    return {
        path.with_name(path.name.removesuffix(_ERROR_SUFFIX)): json.loads(path.read_bytes())[
            "reason"
        ]
        for path in records
    }


def _judge_refused(failed: Path, books: Books) -> list[str]:
    return [
        f"{name}: was not refused"
        for name in books.refused
        if not os.path.lexists(failed / name) or not (failed / (name + _ERROR_SUFFIX)).is_file()
    ]


def _rests(root: Path, books: Books) -> list[str]:
    """Find what should not be there any more."""
    left = {path.name for path in visible(root / "inbox")}
    wrong = [f"left in the inbox: {name!r}" for name in left - set(books.left_alone)]
    wrong += [f"gone, though no image: {name}" for name in set(books.left_alone) - left]
    for name in (*FOLDERS, "state"):
        for path in _files(root / name):
            if path.name.endswith((".part", ".tmp", "-journal", "-wal")):
                wrong.append(f"temporary file: {path}")
    return wrong


def _judge_ledger(root: Path) -> list[str]:
    """Say which jobs are not over, and which outputs are not those the ledger knows."""
    wrong = []
    ledger = f"{(root / 'state' / 'ledger.sqlite3').absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(ledger, uri=True)) as db:
        wrong += [
            f"ledger: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"
        ]
        jobs = db.execute("SELECT id, state, disposal, out_rel, out_sha256 FROM jobs").fetchall()
    for job_id, state, disposal, out_rel, out_sha256 in jobs:
        if state not in {"done", "failed"} or disposal is None:
            wrong.append(f"job {job_id} is not over: {state}, {disposal}")
        elif state == "done":
            path = root / "output" / os.fsdecode(out_rel)
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != out_sha256:
                wrong.append(f"job {job_id}: its output is not in {path.name!r}")
    return wrong


def visible(folder: Path) -> Iterator[Path]:
    """Yield the files, links and pipes below a folder, but the hidden ones (our own marks)."""
    return (path for path in _files(folder) if not path.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    return (Path(entry.path) for entry in _entries(folder))


def _entries(folder: Path) -> "Iterator[os.DirEntry[str]]":
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except FileNotFoundError:  # not made yet
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                yield entry
