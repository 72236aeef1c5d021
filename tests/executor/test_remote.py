"""ClusterExecutor: slots come and go, losses are the machines', and the past reaches nobody."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import wait_until
from tests.parts.fake_executor import good
from tests.parts.gateway_wire import HELLO, NODE, OFFER, GatewayWire
from tests.parts.worker_parts import events_until, limits_of, order_for, sign_of_life
from zssr_daemon.executor import remote, slots
from zssr_daemon.executor.interface import ExecutorEvent, Place, StopRung, WorkerEnd, WorkerEnded
from zssr_daemon.executor.remote import BLAMED_LOSS, ClusterExecutor
from zssr_daemon.protocol.cluster_wire import (
    Ended,
    Give,
    Kill,
    Offer,
    RemoteEnd,
    Start,
    Told,
    Withdraw,
    WithdrawReason,
)
from zssr_daemon.protocol.messages import (
    CANCEL,
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerLoaded,
    WorkerReady,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.system import start_retry

READY = WorkerReady(device="cuda:0", torch_version="2.14.1")


class Scene:
    """An executor and its gateway, of which the test says every word."""

    def __init__(self, state_folder: Path, **limits: Any) -> None:
        self.folder = state_folder
        self.executor = ClusterExecutor(state_folder, limits_of(**limits), max_slots=2)
        self.executor.poll()
        self.wire = self.dial()

    def dial(self) -> GatewayWire:
        """Let a gateway in."""
        self.wire = GatewayWire(self.folder)
        self.wire.say(HELLO)
        return self.wire

    def order(self, job_id: str = "job") -> WorkOrder:
        """Return an order."""
        return order_for(self.folder, job_id)

    def ready(self, offer: Offer = OFFER) -> Start:
        """Offer a slot, and have its worker become ready."""
        self.wire.say(offer)
        return self.ready_again(offer.slot)

    def ready_again(self, slot: str = OFFER.slot) -> Start:
        """Have the worker become ready that is to be started next."""
        start = self.started()
        assert start.slot == slot
        self.tell(start, WorkerLoaded(), READY)
        events_until(self.executor, WorkerReady)
        return start

    def started(self) -> Start:
        """Return the next order to start a worker."""
        events: list[ExecutorEvent] = []
        start: Start = self.wire.next(Start, lambda: events.extend(self.executor.poll()))
        assert events == []
        return start

    def tell(self, start: Start, *messages: Any) -> None:
        """Say what the worker that was started says."""
        for message in messages:
            self.wire.say(Told(slot=start.slot, generation=start.generation, message=message))

    def begin(self, start: Start, order: WorkOrder) -> None:
        """Hand over an order, and have the worker begin it."""
        assert self.executor.submit(order) == Place("cuda:0", NODE)
        assert self.wire.next(Give) == Give(
            slot=start.slot, generation=start.generation, message=order
        )
        self.tell(start, sign_of_life(order, patience_s=0.0))
        events_until(self.executor, WorkProgress)

    def end(self, start: Start, how: RemoteEnd = "node_lost") -> list[ExecutorEvent]:
        """Say that the worker has ended, and return what the executor tells."""
        self.wire.say(Ended(slot=start.slot, generation=start.generation, how=how, message=how))
        return events_until(self.executor, WorkerEnded)

    def withdraw(
        self, slot: str = OFFER.slot, reason: WithdrawReason = "node_lost"
    ) -> list[ExecutorEvent]:
        """Take a slot away, and return what the executor tells."""
        self.wire.say(Withdraw(slot=slot, reason=reason, message="unplugged"))
        return events_until(self.executor, WorkerEnded)

    def done(self, order: WorkOrder) -> WorkDone:
        """Return what a worker says at the end of an order."""
        (done,) = good(order)
        assert isinstance(done, WorkDone)
        return done


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Open a scene, and close it whatever the test did."""
    scene = Scene(tmp_path)
    yield scene
    scene.executor.cancel_all(is_urgent=lambda: True)
    assert scene.executor.connections() == scene.executor.unsent() == []
    scene.wire.connection.close()


def test_order_goes_out_and_its_answer_comes_in(scene: Scene) -> None:
    """Status and events name the node, whatever the worker itself says of that."""
    assert not scene.executor.has_room()
    assert scene.executor.workers() == []
    scene.wire.say(OFFER)
    start = scene.started()
    (worker,) = scene.executor.workers()
    assert (worker.node, worker.device, worker.is_ready, worker.is_well) == (NODE, "cpu", 0, 1)
    scene.tell(start, WorkerLoaded(), replace(READY, node="another"))
    (ready,) = events_until(scene.executor, WorkerReady)
    assert ready == replace(READY, node=NODE)
    order = scene.order()
    scene.begin(start, order)
    assert not scene.executor.has_room()
    assert scene.executor.submit(order) is None
    scene.tell(start, scene.done(order))
    assert events_until(scene.executor, WorkDone) == [scene.done(order)]
    assert scene.executor.has_room()
    assert [each.device for each in scene.executor.workers()] == ["cuda:0"]


@pytest.mark.parametrize("how", ["crash", "oom"])
def test_process_that_dies_of_its_job_blames_it(scene: Scene, how: RemoteEnd) -> None:
    """Another worker is started in its place at once."""
    start = scene.ready()
    scene.begin(start, scene.order())
    assert scene.end(start, how) == [WorkerEnded(WorkerEnd(how), "job", how, NODE)]
    assert scene.started().generation > start.generation


@pytest.mark.parametrize("how", ["crash", "oom", "node_lost"])
def test_job_that_had_not_begun_is_never_blamed(scene: Scene, how: RemoteEnd) -> None:
    """It goes back as it was, as often as that happens."""
    for _ in range(BLAMED_LOSS + 1):
        start = scene.ready() if not scene.executor.workers() else scene.ready_again()
        assert scene.executor.submit(scene.order()) is not None
        assert scene.end(start, how) == [
            WorkCancelled(job_id="job"),
            WorkerEnded(WorkerEnd(how), None, how, NODE),
        ]


def test_job_is_blamed_from_the_fifth_loss_on(scene: Scene) -> None:
    """Until then the machines are; and each job has a count of its own."""
    scene.wire.say(OFFER)
    spared = [
        WorkCancelled(job_id="job"),
        WorkerEnded(WorkerEnd.NODE_LOST, None, "node_lost", NODE),
    ]
    blamed = [WorkerEnded(WorkerEnd.NODE_LOST, "job", "node_lost", NODE)]
    for expected in [spared] * (BLAMED_LOSS - 1) + [blamed, blamed]:
        start = scene.ready_again()
        scene.begin(start, scene.order())
        assert scene.end(start) == expected
    start = scene.ready_again()
    scene.begin(start, scene.order("other"))
    assert scene.end(start)[0] == WorkCancelled(job_id="other")


def test_silence_from_afar_is_a_loss(scene: Scene) -> None:
    """The machine may be frozen; the worker is killed, in case it is not."""
    start = scene.ready()
    scene.begin(start, scene.order())
    scene.executor.limits = replace(scene.executor.limits, silent_after_s=0.0)
    cancelled, ended = events_until(scene.executor, WorkerEnded)
    assert cancelled == WorkCancelled(job_id="job")
    assert ended == WorkerEnded(WorkerEnd.SILENT, None, "no sign of life for 0.0 s", NODE)
    assert scene.wire.next(Kill) == Kill(slot=start.slot, generation=start.generation)
    (worker,) = scene.executor.workers()
    assert not worker.is_well
    scene.executor.limits = replace(scene.executor.limits, silent_after_s=300.0)
    scene.ready_again()
    (worker,) = scene.executor.workers()
    assert worker.is_well


def test_job_that_takes_too_long_is_blamed(scene: Scene) -> None:
    """That is no fault of its machine."""
    start = scene.ready()
    scene.begin(start, scene.order())
    scene.executor.limits = replace(scene.executor.limits, job_timeout_s=0.0)
    assert events_until(scene.executor, WorkerEnded) == [
        WorkerEnded(WorkerEnd.TIMEOUT, "job", "not done after 0.0 s", NODE)
    ]


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("node_lost", WorkerEnd.NODE_LOST),
        ("cluster_lost", WorkerEnd.CLUSTER_LOST),
        ("refused", WorkerEnd.NODE_REFUSED),
    ],
)
def test_slot_that_is_withdrawn(scene: Scene, reason: WithdrawReason, end: WorkerEnd) -> None:
    """Its job goes back, and nothing is started there until it is offered again."""
    start = scene.ready()
    scene.begin(start, scene.order())
    assert scene.withdraw(reason=reason) == [
        WorkCancelled(job_id="job"),
        WorkerEnded(end, None, "unplugged", NODE),
    ]
    assert scene.executor.workers() == []
    assert scene.executor.poll() == []
    assert scene.ready().generation > start.generation
    assert scene.executor.has_room()


def test_answer_before_a_loss_counts(scene: Scene) -> None:
    """What was done before the machine went is done."""
    start = scene.ready()
    order = scene.order()
    scene.begin(start, order)
    scene.tell(start, scene.done(order))
    events = scene.withdraw()
    assert events == [scene.done(order), WorkerEnded(WorkerEnd.NODE_LOST, None, "unplugged", NODE)]


def test_machine_that_ended_first_and_is_withdrawn_then_is_told_of_once(scene: Scene) -> None:
    """Both can be said at once."""
    start = scene.ready()
    scene.begin(start, scene.order())
    ended = Ended(slot=start.slot, generation=start.generation, how="node_lost", message="gone")
    scene.wire.say(ended, Withdraw(slot=start.slot, reason="node_lost", message="gone"))
    events = events_until(scene.executor, WorkerEnded)
    assert events[1:] == [WorkerEnded(WorkerEnd.NODE_LOST, None, "gone", NODE)]
    assert scene.executor.poll() == []


def test_the_dead_reach_nobody(scene: Scene) -> None:
    """A machine that was thought dead says its job is done, when another works on it already."""
    dead = scene.ready()
    order = scene.order()
    scene.begin(dead, order)
    scene.withdraw()
    start = scene.ready()
    scene.begin(start, order)
    late = replace(scene.done(order), out_sha256="0" * 64)
    scene.tell(dead, late)
    late_end = Ended(slot=dead.slot, generation=dead.generation, how="crash", message="late")
    scene.wire.say(late_end)
    scene.tell(start, scene.done(order))
    assert events_until(scene.executor, WorkDone) == [scene.done(order)]


def test_nobody_answers_for_another_job(scene: Scene) -> None:
    """Nor twice for one: what is told of a job that the worker does not have is dropped."""
    start = scene.ready()
    order, other = scene.order(), scene.order("other")
    scene.tell(start, scene.done(other))
    scene.begin(start, order)
    scene.tell(start, scene.done(other), WorkCancelled(job_id="other"), scene.done(order))
    scene.tell(start, scene.done(order), sign_of_life(order, patience_s=0.0))
    events = events_until(scene.executor, WorkDone)
    scene.tell(start, READY)
    events += events_until(scene.executor, WorkerReady)
    assert [each for each in events if not isinstance(each, WorkerReady)] == [scene.done(order)]


def test_unknown_slots_are_nobody(scene: Scene) -> None:
    """What is said of them is dropped, and so are offers of one that is there."""
    start = scene.ready()
    unknown = Start(slot="nowhere", generation=start.generation)
    scene.tell(unknown, READY)
    scene.wire.say(
        Ended(slot="nowhere", generation=1, how="crash", message=""),
        Withdraw(slot="nowhere", reason="node_lost", message=""),
        replace(OFFER, node="thief"),
    )
    scene.tell(start, READY)
    assert events_until(scene.executor, WorkerReady) == [replace(READY, node=NODE)]
    assert [worker.node for worker in scene.executor.workers()] == [NODE]


def test_no_more_slots_than_are_wanted(scene: Scene) -> None:
    """A gateway cannot fill the memory with offers; one that is withdrawn makes room."""
    offers = [replace(OFFER, slot=str(number)) for number in range(5)]
    scene.wire.say(*offers)
    for slot in ("0", "1"):
        scene.ready_again(slot)
    assert len(scene.executor.workers()) == 2
    scene.withdraw("0")
    scene.ready(replace(OFFER, slot="new"))
    assert len(scene.executor.workers()) == 2


def test_gateway_that_is_gone_takes_its_slots_along(scene: Scene) -> None:
    """Every order goes back; the next gateway begins anew."""
    first, second = scene.ready(), scene.ready(replace(OFFER, slot="second"))
    scene.begin(first, scene.order("one"))
    assert scene.executor.submit(scene.order("two")) is not None
    assert second.generation > first.generation
    scene.wire.connection.close()
    events = events_until(scene.executor, WorkerEnded)
    message = getattr(events[1], "message", "")
    assert message.startswith("the gateway to the cluster is gone: it hung up")
    ended = WorkerEnded(WorkerEnd.CLUSTER_LOST, None, message, NODE)
    assert events == [WorkCancelled(job_id="one"), ended, WorkCancelled(job_id="two"), ended]
    assert scene.executor.workers() == []
    assert scene.executor.submit(scene.order("three")) is None
    scene.dial()
    start = scene.ready()
    scene.begin(start, scene.order("one"))


def test_worker_that_does_not_start_is_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once after the first time, later with pauses; meanwhile the cluster is lost."""
    monkeypatch.setattr(start_retry, "START_RETRY_S", 0.0)
    scene.wire.say(OFFER)
    for is_lost in (False, True):
        (ended,) = scene.end(scene.started(), "crash")
        assert isinstance(ended, WorkerEnded)
        assert (ended.reason, ended.job_id, ended.node) == (WorkerEnd.NO_START, None, NODE)
        assert NODE in ended.message
        assert scene.executor.is_lost() is is_lost
    scene.ready_again()
    assert not scene.executor.is_lost()


def test_broken_device(scene: Scene) -> None:
    """Its worker is killed, and its slot is lost until another one is ready."""
    scene.wire.say(OFFER)
    scene.tell(scene.started(), WorkerLoaded(), WorkerBroken(message="no such card"))
    *_, ended = events_until(scene.executor, WorkerEnded)
    assert ended == WorkerEnded(WorkerEnd.DEVICE_LOST, None, "no such card", NODE)
    assert scene.executor.is_lost()
    assert scene.withdraw() == [WorkerEnded(WorkerEnd.NODE_LOST, None, "unplugged", NODE)]


def test_absence_is_no_loss_at_first(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway may take a while after the start of the daemon."""
    assert not scene.executor.is_lost()
    monkeypatch.setattr(remote, "_FIRST_OFFER_S", 0.0)
    assert scene.executor.is_lost()
    scene.ready()
    assert not scene.executor.is_lost()


def test_cancelled_job(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is asked, and killed where it does not stop."""
    start = scene.ready()
    scene.begin(start, scene.order())
    scene.executor.cancel("other")
    scene.executor.cancel("job")
    give = scene.wire.next(Give)
    assert give == Give(slot=start.slot, generation=start.generation, message=CANCEL)
    scene.tell(start, WorkCancelled(job_id="job"))
    assert events_until(scene.executor, WorkCancelled) == [WorkCancelled(job_id="job")]
    scene.begin(start, scene.order("deaf"))
    monkeypatch.setattr(slots, "CANCEL_WAIT_S", 0.0)
    scene.executor.cancel("deaf")
    assert events_until(scene.executor, WorkerEnded) == [
        WorkCancelled(job_id="deaf"),
        WorkerEnded(WorkerEnd.CANCELLED, None, "killed on order", NODE),
    ]
    assert scene.wire.next(Kill) == Kill(slot=start.slot, generation=start.generation)


def test_recycled_between_jobs(tmp_path: Path) -> None:
    """A worker that has done its share is killed before another one is started in its place."""
    scene = Scene(tmp_path, max_jobs=1)
    start = scene.ready()
    order = scene.order()
    scene.begin(start, order)
    scene.tell(start, scene.done(order))
    *_, ended = events_until(scene.executor, WorkerEnded)
    assert ended == WorkerEnded(WorkerEnd.RECYCLE, None, "after 1 jobs", NODE)
    assert scene.wire.next(Kill) == Kill(slot=start.slot, generation=start.generation)
    again = Start(slot=start.slot, generation=start.generation + 1)
    assert scene.wire.next(Start) == again
    scene.executor.cancel_all(is_urgent=lambda: True)
    scene.wire.connection.close()


def test_stop_ladder(scene: Scene) -> None:
    """Who works is asked, then killed; then we hang up, and the gateway sees it."""
    start = scene.ready()
    scene.begin(start, scene.order())
    rungs: list[tuple[StopRung, int]] = []
    waits = iter((False, False, True))

    def is_urgent() -> bool:
        return next(waits, True)

    scene.executor.cancel_all(
        is_urgent=is_urgent, on_rung=lambda rung, workers: rungs.append((rung, workers))
    )
    assert rungs[0] == (StopRung.CANCEL, 1)
    assert rungs[-1] == (StopRung.SIGKILL, 1)
    assert scene.wire.next(Give).message == CANCEL
    assert scene.wire.next(Kill).generation == start.generation
    wait_until(scene.wire.is_hung_up_on, "the end of the connection")
    assert list(scene.folder.glob("*.sock")) == []
