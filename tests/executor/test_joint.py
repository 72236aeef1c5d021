"""JointExecutor: near slots first, then far ones; all of them end together."""

import socket
from pathlib import Path
from typing import Any

from tests.parts.worker_parts import limits_of, order_for
from zssr_daemon.executor.interface import Place, StopRung, WorkerEnd
from zssr_daemon.executor.joint import JointExecutor
from zssr_daemon.executor.slots import SlotExecutor
from zssr_daemon.executor.worker_slot import WorkerSlot
from zssr_daemon.protocol.messages import WorkCancelled, WorkerLoaded, WorkerReady, WorkOrder


class PlainChild:
    """A worker that is ready at once, and says what a test has it say."""

    resident_bytes = 0

    def __init__(self) -> None:
        self.connection, self._other_end = socket.socketpair()
        self.is_alive = True
        self.heard: list[Any] = []
        self.untold: list[Any] = [WorkerLoaded(), WorkerReady(device="cpu", torch_version="none")]

    def send(self, message: WorkOrder | str) -> None:
        """Note the message; a cancelled job ends at once."""
        self.heard.append(message)
        if message == "cancel":
            self.untold.append(WorkCancelled(job_id=self.heard[-2].job_id))
            self._other_end.send(b"!")

    def received(self) -> list[Any]:
        """Say what is left to say."""
        untold, self.untold = self.untold, []
        return untold

    def how_it_died(self, *, is_loaded: bool) -> tuple[WorkerEnd, str]:
        """Say how."""
        return WorkerEnd.CRASH if is_loaded else WorkerEnd.NO_START, "told so"

    def terminate(self) -> None:
        """Do nothing: nobody has to."""

    def kill(self) -> None:
        """End."""
        self.is_alive = False
        self.connection.close()
        self._other_end.close()


class PlainExecutor(SlotExecutor):
    """One slot with a plain child."""

    def __init__(self, node: str) -> None:
        super().__init__(limits_of())
        self.child = PlainChild()
        self._slots = [WorkerSlot(Place("cpu", node), lambda: self.child)]


def test_near_first_and_all_as_one(tmp_path: Path) -> None:
    """Orders go to the first part with room, and what is asked of all is asked of each."""
    near, far = PlainExecutor(""), PlainExecutor("node7")
    joint = JointExecutor([near, far])
    assert not joint.has_room()
    events = joint.poll()
    assert [getattr(event, "node", None) for event in events] == ["", "node7"]
    assert [worker.node for worker in joint.workers()] == ["", "node7"]
    places = []
    for name in ("one", "two", "three"):
        places.append(joint.submit(order_for(tmp_path, name)))
    assert places == [Place("cpu"), Place("cpu", "node7"), None]
    assert not joint.has_room()
    joint.cancel("two")
    assert joint.poll() == [WorkCancelled(job_id="two")]
    assert joint.submit(order_for(tmp_path, "four")) == Place("cpu", "node7")
    rungs: list[tuple[StopRung, int]] = []
    joint.cancel_all(is_urgent=lambda: False, on_rung=lambda *used: rungs.append(used))
    assert rungs == [(StopRung.CANCEL, 2)]
    assert not near.child.is_alive
    assert not far.child.is_alive
    assert joint.connections() == joint.unsent() == []


def test_lost_when_all_are(tmp_path: Path) -> None:
    """A cluster goes on without this machine, and this machine without a cluster."""
    near, far = PlainExecutor(""), PlainExecutor("node7")
    joint = JointExecutor([near, far])
    joint.poll()
    near._slots[0].is_lost = True
    assert not joint.is_lost()
    far._slots[0].is_lost = True
    assert joint.is_lost()
    near._slots[0].is_lost = False
    assert not joint.is_lost()
    assert joint.submit(order_for(tmp_path)) == Place("cpu")
    joint.cancel_all(is_urgent=lambda: True)
