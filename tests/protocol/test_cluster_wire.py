"""ClusterWire: frames arrive as they were sent, however they are cut; nothing else passes."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parts.gateway_wire import HELLO, OFFER
from tests.parts.worker_parts import order_for
from zssr_daemon.errors import Reason
from zssr_daemon.protocol.cluster_wire import (
    MAX_FRAME_BYTES,
    Decoder,
    Ended,
    Frame,
    GatewayFrame,
    Give,
    Hello,
    Kill,
    Offer,
    Start,
    SupervisorFrame,
    Told,
    WireError,
    Withdraw,
    encode,
)
from zssr_daemon.protocol.kernel_file import KERNEL_FILE_BYTES, KernelFile
from zssr_daemon.protocol.messages import WorkerLoaded, WorkFailed, WorkMessage, WorkOrder

#: Any text, with what stands for bytes of a file name that are no text.
TEXT = st.text(st.characters(codec="utf-8")) | st.binary().map(os.fsdecode)

#: Any message that a worker may send.
MESSAGES = st.one_of(*(st.from_type(kind) for kind in (*get_args(WorkMessage), WorkerLoaded)))

#: The settings of an order have rules of their own, so these parts of one are varied alone.
PLAIN_ORDER = ("job_id", "inbox", "src_rel", "part", "report_path", "weights_folder")


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> WorkOrder:
    """Return an order."""
    return order_for(tmp_path_factory.mktemp("inbox"))


def arrived(content: bytes, cut: int) -> list[Frame]:
    """Return what a decoder makes of bytes that come in pieces of `cut`."""
    decoder = Decoder()
    pieces = [content[start : start + cut] for start in range(0, len(content), cut)]
    return [frame for piece in pieces for frame in decoder.feed(piece)]


@settings(max_examples=30, deadline=None)
@given(data=st.data(), cut=st.integers(1, 500))
def test_what_a_gateway_says_arrives(data: st.DataObject, cut: int) -> None:
    """Every frame, with any values."""
    slot, generation = data.draw(TEXT), data.draw(st.integers(min_value=0))
    message = data.draw(MESSAGES)
    frames: list[GatewayFrame] = [
        Hello(version=data.draw(TEXT), code_sha256=data.draw(TEXT)),
        Offer(slot=slot, node=data.draw(TEXT), device=data.draw(TEXT)),
        Told(slot=slot, generation=generation, message=message),
        Withdraw(slot=slot, reason="refused", message=data.draw(TEXT)),
        Ended(slot=slot, generation=generation, how="oom", message=data.draw(TEXT)),
    ]
    assert {type(frame) for frame in frames} == set(get_args(GatewayFrame))
    arrivals = arrived(b"".join(map(encode, frames)), cut)
    assert list(map(repr, arrivals)) == list(map(repr, frames))  # NaN equals itself there


@settings(max_examples=30, deadline=None)
@given(data=st.data(), cut=st.integers(1, 500))
def test_what_a_supervisor_says_arrives(order: WorkOrder, data: st.DataObject, cut: int) -> None:
    """Names of files keep every byte, and so do the files of kernels."""
    varied: dict[str, Any] = {name: data.draw(TEXT) for name in PLAIN_ORDER}
    content = data.draw(st.binary())
    kernels = [None, "auto", KernelFile(name="k.npy", content=content)]
    given_order = replace(order, **varied | {"kernel": data.draw(st.sampled_from(kernels))})
    frames: list[SupervisorFrame] = [
        Start(slot="a", generation=1),
        Give(slot="a", generation=1, message=given_order),
        Give(slot="a", generation=1, message="cancel"),
        Kill(slot="a", generation=1),
    ]
    assert {type(frame) for frame in frames} == set(get_args(SupervisorFrame))
    assert arrived(b"".join(map(encode, frames)), cut * 50) == frames


def test_largest_kernel_fits(order: WorkOrder) -> None:
    """No order is too long to be sent."""
    kernel = KernelFile(name="k.npy", content=bytes(KERNEL_FILE_BYTES))
    give = Give(slot="a", generation=1, message=replace(order, kernel=kernel))
    assert Decoder().feed(encode(give)) == [give]


def test_what_is_told_to_people_is_text() -> None:
    """Bytes of names that are no text would end who writes them to log, ledger or metrics."""
    failed = WorkFailed(job_id="j", reason=Reason.IO_ERROR, message="\udcff.png", is_retryable=True)
    told = Told(slot="\udcff", generation=1, message=failed)
    (frame,) = Decoder(is_told=True).feed(encode(told))
    escaped = replace(failed, message="\\udcff.png")
    assert frame == Told(slot="\\udcff", generation=1, message=escaped)


MALFORMED = {
    "empty": b"\n",
    "no json": b"hello\n",
    "no text": b"\xff\xfe\xfa\n",
    "number": b"1\n",
    "null": b"null\n",
    "deep": b"[" * 100_000 + b"\n",
    "no frame": b'{"slot": "a"}\n',
    "unknown frame": b'{"frame": "Shout"}\n',
    "frame that is a list": b'{"frame": []}\n',
    "missing key": b'{"frame": "Offer", "slot": "a"}\n',
    "unknown key": encode(OFFER).replace(b'"node"', b'"nodes"'),
    "wrong type": encode(HELLO).replace(b'"version": "', b'"version": 1, "x": "'),
    "unknown kind": b'{"frame": "Told", "slot": "", "generation": 1, "kind": "", "message": 1}\n',
    "order of a gateway": b'{"frame": "Told", "slot": "a", "generation": 1, "message": "cancel"}\n',
    "unknown reason": b'{"frame": "Withdraw", "slot": "a", "reason": "mood", "message": ""}\n',
    "too long": b'{"frame": "' + b"x" * MAX_FRAME_BYTES + b'"}\n',
    "too long and no end": b"x" * (MAX_FRAME_BYTES + 1),
    "huge number": b'{"frame": "Start", "slot": "a", "generation": ' + b"9" * 10_000 + b"}\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_frame_is_refused(name: str) -> None:
    """By one error, whatever it is."""
    with pytest.raises(WireError):
        Decoder().feed(MALFORMED[name])


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_frames_or_a_wire_error(content: bytes) -> None:
    """No other error, so that nothing that arrives can end a daemon."""
    try:
        frames = Decoder(is_told=True).feed(content)
    except WireError:
        return
    assert frames == []
    assert b"\n" not in content


def test_rest_of_a_line_waits(tmp_path: Path) -> None:
    """A frame comes out when its line is whole, in the order of sending."""
    decoder = Decoder()
    give = Give(slot="a", generation=1, message=order_for(tmp_path))
    content = encode(OFFER) + encode(give)
    assert decoder.feed(content[:-1]) == [OFFER]
    assert decoder.feed(content[-1:]) == [give]
