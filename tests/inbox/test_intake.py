"""Intake: a file is queued once, when it is whole; one that cannot be is refused."""

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import drop, identity_of, queue, wait_until
from tests.parts.opened_files import OpenedFiles
from tests.parts.picture_files import smooth_picture
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.inbox import intake as intake_module
from zssr_daemon.inbox.gate_outcome import (
    Delayed,
    Duplicate,
    GateOutcome,
    Ignored,
    Queued,
    Refused,
)
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.inbox.probe import ProbeResult
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.image_settings import ImageSettings, Resolver
from zssr_daemon.settings.schema import Output, Settings
from zssr_daemon.system import disk_faults


class Gate:
    """An intake, stepped by the test."""

    def __init__(self, settings: Settings, ledger: Ledger, **keys: Any) -> None:
        resolver = Resolver(settings, settings.folders.inbox)
        job_settings = JobSettings(ledger, settings)
        self.intake = Intake(settings, ledger, resolver, job_settings, on_hint=lambda: None, **keys)
        self.outcomes: list[GateOutcome] = []

    def step(self) -> None:
        """Do what is due now, and keep what comes out."""
        self.outcomes += self.intake.step(time.monotonic())

    def steps_until_scans(self, more: int) -> None:
        """Step until so many further scans are done."""
        goal = self.intake.scans + more

        def is_there() -> bool:
            self.step()
            return self.intake.scans >= goal

        wait_until(is_there, "scans")

    def steps_until_outcomes(self, count: int) -> None:
        """Step until so many outcomes are there."""

        def is_there() -> bool:
            self.step()
            return len(self.outcomes) >= count

        wait_until(is_there, "outcomes")
        assert len(self.outcomes) == count


@pytest.fixture
def gate(make_settings: SettingsFactory, ledger: Ledger) -> Iterator[Gate]:
    """Make an intake without events: hints are lost, the scan must find everything."""
    gate = Gate(make_settings(watch={"polling": True}), ledger)
    yield gate
    gate.intake.stop()


@pytest.fixture
def inbox(settings: Settings) -> Path:
    """Return the inbox."""
    return settings.folders.inbox


def test_scan_alone_finds_files(gate: Gate, inbox: Path) -> None:
    """Those that were there, and those that come later; each is queued once."""
    drop(inbox, "a.png")
    gate.steps_until_outcomes(1)
    drop(inbox, "sub/b.png", size=(7, 5))
    gate.steps_until_outcomes(2)
    gate.steps_until_scans(3)
    assert [type(outcome) for outcome in gate.outcomes] == [Queued, Queued]
    second = gate.outcomes[1]
    assert isinstance(second, Queued)
    assert (second.job.src_rel, second.job.width, second.job.height) == ("sub/b.png", 7, 5)
    assert second.job.sha256 is not None
    assert gate.intake.is_settled


def test_size_that_needs_an_impossible_factor(gate: Gate, inbox: Path) -> None:
    """The image is refused by its settings; one of another size is queued."""
    drop(inbox, "sub/a.png", size=(12, 10))
    drop(inbox, "sub/b.png", size=(60, 50))
    (inbox / "sub" / "zssr.toml").write_text('[zssr]\ntarget = "long:120"')
    gate.steps_until_outcomes(2)
    outcomes = {
        outcome.job.src_rel: outcome for outcome in gate.outcomes if hasattr(outcome, "job")
    }
    refused = outcomes["sub/a.png"]
    assert isinstance(refused, Refused)
    assert refused.reason == "bad_settings"
    assert "12 x 10 pixels needs a factor of 10: must be" in refused.message
    assert isinstance(outcomes["sub/b.png"], Queued)


def answers_of_probe(gate: Gate, monkeypatch: pytest.MonkeyPatch, errnos: list[int]) -> None:
    """Let the probe meet an error of the system for each of `errnos`, then none."""
    poll = gate.intake._prober.poll

    def polling() -> list[ProbeResult]:
        results = []
        for result in poll():
            number = errnos.pop(0) if errnos else None
            if number is not None:
                result = ProbeResult(  # noqa: PLW2901 (the same, as the disk spoils it)
                    request=result.request, oserror_errno=number, message=os.strerror(number)
                )
            results.append(result)
        return results

    monkeypatch.setattr(gate.intake._prober, "poll", polling)


@pytest.mark.parametrize(
    "number", sorted(disk_faults._FULL | disk_faults._AWAY), ids=errno.errorcode.get
)
def test_fault_of_the_disk_is_no_fault_of_the_picture(
    make_settings: SettingsFactory, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """However long the disk fails, the file waits; when it is well again, the file is queued."""
    settings = make_settings(watch={"polling": True, "unreadable_after_s": 0.0})
    gate = Gate(settings, ledger)
    faults = [number] * 3
    answers_of_probe(gate, monkeypatch, faults)
    monkeypatch.setattr(intake_module, "_MIN_WAIT_S", 0.0)
    drop(settings.folders.inbox)

    def is_well_again() -> bool:
        gate.step()
        return not faults

    wait_until(is_well_again)
    told = 3 if number in disk_faults._UNREADABLE else 1
    assert [type(outcome) for outcome in gate.outcomes] == [Delayed] * told
    gate.outcomes.clear()
    assert not gate.intake.is_settled
    gate.steps_until_outcomes(1)
    gate.intake.stop()
    assert isinstance(gate.outcomes[0], Queued)


def test_file_that_alone_cannot_be_read_is_refused(
    gate: Gate, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few tries, each wait twice as long, nobody waits for a bad sector any more."""
    answers_of_probe(gate, monkeypatch, [errno.EIO] * 100)
    monkeypatch.setattr(intake_module, "_MIN_WAIT_S", 0.0)
    drop(inbox)
    gate.steps_until_outcomes(5)
    *delayed, refused = gate.outcomes
    assert [one.wait_s for one in delayed if isinstance(one, Delayed)] == [0.05, 0.1, 0.2, 0.4]
    assert isinstance(refused, Refused)
    assert refused.reason == "unreadable"
    assert gate.intake.is_settled


def test_no_try_counts_while_the_whole_disk_fails(
    make_settings: SettingsFactory, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file waits for its disk, however long that takes."""
    settings = make_settings(watch={"polling": True})
    is_well = [False]
    gate = Gate(settings, ledger, is_disk_well=lambda: is_well[0])
    faults = [errno.EIO] * 8
    answers_of_probe(gate, monkeypatch, faults)
    monkeypatch.setattr(intake_module, "_MIN_WAIT_S", 0.0)
    drop(settings.folders.inbox)

    def are_most_met() -> bool:
        gate.step()
        return len(faults) == 1

    wait_until(are_most_met)
    is_well[0] = True
    gate.steps_until_outcomes(3)
    gate.intake.stop()
    assert [type(outcome) for outcome in gate.outcomes] == [Delayed, Delayed, Queued]


def test_busy_file_is_never_given_up(
    gate: Gate, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that a Windows program holds open on a share: it waits, and that is told once."""
    faults = [errno.EBUSY] * 8
    answers_of_probe(gate, monkeypatch, faults)
    monkeypatch.setattr(intake_module, "_MIN_WAIT_S", 0.0)
    drop(inbox)

    def is_free() -> bool:
        gate.step()
        return not faults

    wait_until(is_free)
    gate.steps_until_outcomes(2)
    assert [type(outcome) for outcome in gate.outcomes] == [Delayed, Queued]


def test_file_that_may_not_be_read_is_refused(
    gate: Gate, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EACCES is about this file: after `unreadable_after_s` it is refused as unreadable."""
    answers_of_probe(gate, monkeypatch, [errno.EACCES] * 100)
    drop(inbox)
    gate.steps_until_outcomes(1)
    (outcome,) = gate.outcomes
    assert isinstance(outcome, Refused)
    assert outcome.reason == "unreadable"


def test_file_that_goes_before_the_probe_opens_it(
    gate: Gate, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOENT is no fault: the file is let go, and settles again if it is there after all."""
    faults = [errno.ENOENT]
    answers_of_probe(gate, monkeypatch, faults)
    drop(inbox)

    def is_gone() -> bool:
        gate.step()
        return not faults

    wait_until(is_gone)
    assert gate.outcomes == []
    assert gate.intake.is_settled
    gate.steps_until_outcomes(1)
    assert isinstance(gate.outcomes[0], Queued)


def test_hint_brings_the_scan_forward(make_settings: SettingsFactory, ledger: Ledger) -> None:
    """With events a file is found before the next scheduled scan."""
    settings = make_settings(watch={"scan_interval_s": 1e6})
    gate = Gate(settings, ledger)
    gate.steps_until_scans(1)
    drop(settings.folders.inbox)
    gate.steps_until_outcomes(1)
    gate.intake.stop()


def test_growing_file_is_waited_for(gate: Gate, inbox: Path) -> None:
    """A slow copy is neither queued nor failed until it is whole."""
    drop(inbox.parent, "whole.png", size=(60, 60))
    whole = (inbox.parent / "whole.png").read_bytes()
    target = inbox / "a.png"
    for length in range(0, len(whole), len(whole) // 4):
        target.write_bytes(whole[:length])
        gate.steps_until_scans(1)
    assert not gate.outcomes
    target.write_bytes(whole)
    gate.steps_until_outcomes(1)
    assert isinstance(gate.outcomes[0], Queued)


def test_truncated_file_gets_its_time(make_settings: SettingsFactory, ledger: Ledger) -> None:
    """A copy that pauses looks damaged: it is looked at again, and not failed at once."""
    settings = make_settings(watch={"unreadable_after_s": 1e6})
    gate = Gate(settings, ledger)
    whole = drop(settings.folders.inbox.parent, "whole.png", size=(60, 60)).read_bytes()
    target = settings.folders.inbox / "a.png"
    target.write_bytes(whole[: len(whole) // 2])
    asked: list[object] = []
    submit = gate.intake._prober.submit
    gate.intake._prober.submit = lambda request: (asked.append(request), submit(request))[1]  # type: ignore[method-assign, func-returns-value]

    def was_judged_twice() -> bool:
        gate.step()
        return len(asked) >= 2 and gate.intake._prober.is_idle

    wait_until(was_judged_twice)
    assert gate.outcomes == []
    assert not gate.intake.is_settled
    target.write_bytes(whole)
    gate.steps_until_outcomes(1)
    assert isinstance(gate.outcomes[0], Queued)
    gate.intake.stop()


def test_quiet_broken_file_is_refused(gate: Gate, inbox: Path) -> None:
    """After `unreadable_after_s` without a change it is refused."""
    (inbox / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    gate.steps_until_outcomes(1)
    (outcome,) = gate.outcomes
    assert isinstance(outcome, Refused)
    assert outcome.reason in {"truncated", "corrupt"}
    assert outcome.job.state is JobState.QUEUED


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_input_pixels": 50}, "too_many_pixels"),
        ({"max_output_pixels": 400}, "output_too_large"),
        ({"max_MB": 0.00001}, "file_too_large"),
    ],
)
def test_limits(
    make_settings: SettingsFactory, ledger: Ledger, limits: dict[str, float], reason: str
) -> None:
    """What is too large is refused before anything is computed."""
    settings = make_settings(limits=limits)
    gate = Gate(settings, ledger)
    drop(settings.folders.inbox)
    gate.steps_until_outcomes(1)
    (outcome,) = gate.outcomes
    assert isinstance(outcome, Refused)
    assert outcome.reason == reason
    gate.intake.stop()


def test_accepted_cut_file_settles_first(make_settings: SettingsFactory, ledger: Ledger) -> None:
    """With `truncated = "accept"` too, a file that may still be written waits until it is quiet."""
    for unreadable_after_s, expected in ((1e6, []), (0.0, [Queued])):
        settings = make_settings(
            watch={"polling": True, "unreadable_after_s": unreadable_after_s},
            limits={"truncated": "accept"},
        )
        gate = Gate(settings, ledger)
        answers = answers_seen(gate)
        path = settings.folders.inbox / "cut.jpg"
        smooth_picture().save(path, quality=95)
        path.write_bytes(path.read_bytes()[:-100])

        def is_answered(gate: Gate = gate, answers: list[ProbeResult] = answers) -> bool:
            gate.step()
            return bool(answers)

        wait_until(is_answered)
        assert [type(outcome) for outcome in gate.outcomes] == expected
        gate.intake.stop()
    assert isinstance(gate.outcomes[0], Queued)
    assert "rows are missing" in (gate.outcomes[0].info.note or "")


def answers_seen(gate: Gate) -> list[ProbeResult]:
    """Return a list that grows with each answer of the probe."""
    poll, seen = gate.intake._prober.poll, list[ProbeResult]()

    def polling() -> list[ProbeResult]:
        results = poll()
        seen.extend(results)
        return results

    gate.intake._prober.poll = polling  # type: ignore[method-assign]
    return seen


def test_text_is_reported_once(gate: Gate, inbox: Path) -> None:
    """It stays where it is, and nothing waits for it."""
    (inbox / "notes.txt").write_text("notes")
    gate.steps_until_scans(3)
    assert gate.outcomes == [Ignored("notes.txt")]
    assert gate.intake.is_settled


def test_picture_without_suffix(gate: Gate, inbox: Path) -> None:
    """Its content makes it a candidate."""
    drop(inbox, "upload")
    gate.steps_until_outcomes(1)
    assert isinstance(gate.outcomes[0], Queued)


def test_file_of_another_century(gate: Gate, inbox: Path) -> None:
    """Whatever its times say, it is queued like any other."""
    for name, seconds in (("old.png", -1000), ("new.png", 10_000_000_000)):
        os.utime(drop(inbox, name), (seconds, seconds))
    gate.steps_until_outcomes(2)
    gate.steps_until_scans(2)
    assert {type(outcome) for outcome in gate.outcomes} == {Queued}


def test_rename_in_the_queue_is_followed(gate: Gate, ledger: Ledger, settings: Settings) -> None:
    """The job is the same, under its new name."""
    job = queue(ledger, settings, "a.png")
    (settings.folders.inbox / "a.png").rename(settings.folders.inbox / "b.png")
    gate.steps_until_scans(1)
    assert ledger.get(job.id).src_rel == "b.png"
    gate.steps_until_scans(2)
    assert gate.outcomes == []


def test_second_name_of_a_file_is_not_a_second_job(
    gate: Gate, ledger: Ledger, settings: Settings
) -> None:
    """A hard link beside a queued file neither renames nor repeats its job."""
    job = queue(ledger, settings, "a.png")
    os.link(settings.folders.inbox / "a.png", settings.folders.inbox / "b.png")
    gate.steps_until_scans(3)
    assert ledger.get(job.id) == job
    assert gate.outcomes == []


def test_two_new_names_of_a_file_are_one_job(gate: Gate, ledger: Ledger, inbox: Path) -> None:
    """Both settle, one is queued."""
    drop(inbox, "a.png")
    os.link(inbox / "a.png", inbox / "b.png")
    gate.steps_until_outcomes(1)
    gate.steps_until_scans(3)
    assert ledger.count(JobState.QUEUED) == 1


def test_rewriting_in_the_queue_starts_again(
    gate: Gate, ledger: Ledger, settings: Settings
) -> None:
    """The old job is forgotten, the new content settles and is queued."""
    job = queue(ledger, settings, "a.png")
    with (settings.folders.inbox / "a.png").open("r+b") as stream:
        smooth_picture(40, 30).save(stream, "PNG")
    gate.steps_until_outcomes(1)
    (outcome,) = gate.outcomes
    assert isinstance(outcome, Queued)
    assert outcome.job.id != job.id
    assert outcome.job.width == 40
    with pytest.raises(KeyError):
        ledger.get(job.id)


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.PUBLISHING])
def test_job_in_work_is_left_alone(
    gate: Gate, ledger: Ledger, settings: Settings, state: JobState
) -> None:
    """A change of its source is noticed when it is published, not here."""
    job = queue(ledger, settings, "a.png")
    ledger.claim(now=time.time())
    if state is JobState.PUBLISHING:
        ledger.publishing(job.id, out_rel="x", out_sha256="y")
    os.utime(settings.folders.inbox / "a.png", (1, 1))
    gate.steps_until_scans(3)
    assert gate.outcomes == []
    assert ledger.get(job.id).state is state


def renumber(ledger: Ledger, job: Job) -> None:
    """Give a job the device and inode that its file had before a new mount."""
    ledger.adopt(job.id, replace(job.identity, dev=job.identity.dev + 1, ino=job.identity.ino + 1))


def test_share_that_was_mounted_again(gate: Gate, ledger: Ledger, settings: Settings) -> None:
    """Its queued files have other numbers, and keep their jobs."""
    job = queue(ledger, settings, "a.png")
    renumber(ledger, job)
    gate.steps_until_scans(3)
    assert ledger.get(job.id) == job
    assert gate.outcomes == []


def test_share_that_was_mounted_again_under_a_running_job(
    gate: Gate, ledger: Ledger, settings: Settings
) -> None:
    """The file has its job, and gets no second one."""
    job = queue(ledger, settings, "a.png")
    ledger.claim(now=time.time())
    renumber(ledger, job)
    gate.steps_until_scans(3)
    assert gate.outcomes == []
    assert ledger.count(JobState.RUNNING) == 1


def test_numbers_that_changed_places(gate: Gate, ledger: Ledger, settings: Settings) -> None:
    """Two files with each other's old numbers end with a job each."""
    first, second = queue(ledger, settings, "a.png"), queue(ledger, settings, "b.png")
    ledger.adopt(first.id, replace(first.identity, ino=0))
    ledger.adopt(second.id, replace(second.identity, ino=first.identity.ino))
    ledger.adopt(first.id, replace(first.identity, ino=second.identity.ino))

    def are_right() -> bool:
        gate.step()
        queued = ledger.in_state(JobState.QUEUED)
        inbox = settings.folders.inbox
        return len(queued) == 2 and all(
            identity_of(inbox / job.src_rel) == job.identity for job in queued
        )

    wait_until(are_right)


def test_kept_file_is_known_on_another_device(
    gate: Gate, ledger: Ledger, settings: Settings
) -> None:
    """What is done and stays in the inbox is not done again after a mount: content decides."""
    drop(settings.folders.inbox, "a.png")
    gate.steps_until_outcomes(1)
    (job,) = ledger.newest()
    ledger.done(job.id, now=1.0)
    ledger.disposed(job.id, Disposal.KEEP)
    renumber(ledger, job)
    anew = Gate(settings, ledger)

    def is_known() -> bool:
        anew.step()
        return ledger.get(job.id).identity == job.identity

    wait_until(is_known)
    anew.steps_until_scans(3)
    assert anew.outcomes == [Duplicate("a.png")]
    anew.intake.stop()


def test_file_that_goes_while_settling(gate: Gate, inbox: Path) -> None:
    """Nothing is queued, and nothing waits for it."""
    path = drop(inbox)
    gate.steps_until_scans(1)
    path.unlink()
    gate.steps_until_scans(2)
    assert gate.outcomes == []
    assert gate.intake.is_settled


def test_missing_inbox_is_an_error(gate: Gate, inbox: Path) -> None:
    """An error, not an empty inbox; and once it is back, all goes on."""
    inbox.rmdir()
    with pytest.raises(FileNotFoundError):
        gate.steps_until_scans(1)
    inbox.mkdir()
    drop(inbox)
    gate.steps_until_outcomes(1)


def test_dead_emitter_is_replaced(make_settings: SettingsFactory, ledger: Ledger) -> None:
    """A new watch brings a scan, as nobody reported what happened in between."""
    settings = make_settings(watch={"scan_interval_s": 1e6})
    gate = Gate(settings, ledger)
    gate.steps_until_scans(1)
    observer = gate.intake.watch._observer
    assert observer is not None
    assert observer._observer is not None
    (emitter,) = observer._observer.emitters
    emitter.stop()
    emitter.join()
    drop(settings.folders.inbox)
    gate.steps_until_outcomes(1)
    gate.intake.stop()


def test_own_settings_count_at_the_gate(
    make_settings: SettingsFactory, ledger: Ledger, inbox: Path
) -> None:
    """They decide on the size of the output and on pages, and the ledger keeps them."""
    settings = make_settings(watch={"polling": True}, limits={"max_output_pixels": 1000})
    gate = Gate(settings, ledger)
    for name in ("large", "small"):
        drop(inbox, f"{name}.png")
    pages = smooth_picture(6, 5)
    pages.save(inbox / "pages.tif", save_all=True, append_images=[pages])
    (inbox / "large.toml").write_text("[zssr]\nscale_factor = 3.0")
    (inbox / "pages.toml").write_text('[output]\nframes = "each"')
    gate.steps_until_outcomes(3)
    gate.intake.stop()
    found = {each.job.src_rel: each for each in gate.outcomes if isinstance(each, Queued | Refused)}
    refused, queued = found["large.png"], found["pages.tif"]
    assert isinstance(refused, Refused)
    assert refused.reason == "output_too_large"
    assert isinstance(queued, Queued)
    assert queued.info.frames == 2
    own = JobSettings(ledger, settings).of(queued.job)
    assert own == ImageSettings.of(settings).model_copy(update={"output": Output(frames="each")})
    by_now = JobSettings(ledger, make_settings(output={"report": True}))
    of_all = by_now.of(found["small.png"].job)
    assert of_all == ImageSettings.of(settings)


def test_faulty_own_settings_get_their_time(
    make_settings: SettingsFactory, ledger: Ledger, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be half written: the image waits, like one that cannot be decoded yet."""
    settings = make_settings(watch={"polling": True, "unreadable_after_s": 1e6})
    gate = Gate(settings, ledger)
    opened = OpenedFiles(monkeypatch)
    (inbox / "a.toml").write_text("[zssr]\nscale_fac")
    drop(inbox)

    def was_asked_twice() -> bool:
        gate.step()
        return opened.names.count("a.toml") >= 2

    wait_until(was_asked_twice)
    assert gate.outcomes == []
    (inbox / "a.toml").write_text("[zssr]\nscale_factor = 3.0")
    gate.steps_until_outcomes(1)
    gate.intake.stop()
    assert isinstance(gate.outcomes[0], Queued)


def test_own_settings_on_a_share_that_fails(
    gate: Gate, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image is not queued without them, nor refused because of them."""
    opened = OpenedFiles(monkeypatch, failing="a.toml", errnos=[errno.ESTALE, errno.EIO])
    (inbox / "a.toml").write_text("[output]\nreport = true")
    drop(inbox)
    gate.steps_until_outcomes(3)
    *delayed, outcome = gate.outcomes
    assert [type(each) for each in delayed] == [Delayed] * 2
    assert opened.errnos == []
    assert isinstance(outcome, Queued)
