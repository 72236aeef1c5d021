"""Cluster wire: the frames that supervisor and gateway send each other over a Unix socket.

A frame is one line of JSON. The gateway speaks with other machines, so nothing that it sends may
run as code in the supervisor: no pickle, and a frame of another form ends the connection.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from zssr_daemon.protocol.messages import WorkerLoaded, WorkMessage, WorkOrder

#: The supervisor's socket in the state folder; where systemd gives a runtime folder, a link to it.
CLUSTER_SOCKET_NAME = "cluster.sock"

#: The longest line; an order with a kernel file of the largest size fits.
MAX_FRAME_BYTES = 4 << 20

#: Why a slot is withdrawn.
WithdrawReason = Literal["node_lost", "cluster_lost", "refused"]

#: How the process of a remote worker ended.
RemoteEnd = Literal["crash", "oom", "node_lost"]


class WireError(ValueError):
    """The other side sent something that is no frame."""


# -- from the gateway -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first frame of a gateway: which program it is."""

    version: str
    code_sha256: str  # over the modules of the package


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """There is a place for one worker on a node."""

    slot: str  # unique among the living ones of this gateway, such as "10.0.0.7#0"
    node: str  # the node's name, for people
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """A place is gone, and with it whatever ran there."""

    slot: str
    reason: WithdrawReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message of the worker that was started as this generation of its slot."""

    slot: str
    generation: int
    message: WorkMessage | WorkerLoaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The worker's process is gone."""

    slot: str
    generation: int
    how: RemoteEnd
    message: str


# -- from the supervisor ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a worker at a slot; a generation counts up and is never used twice."""

    slot: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """Hand a message to a worker."""

    slot: str
    generation: int
    message: WorkOrder | Literal["cancel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """End a worker's process at once."""

    slot: str
    generation: int


GatewayFrame = Hello | Offer | Withdraw | Told | Ended
SupervisorFrame = Start | Give | Kill
Frame = GatewayFrame | SupervisorFrame

_FRAMES: Mapping[str, type[Frame]] = {kind.__name__: kind for kind in get_args(Frame)}
_MESSAGES: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (*get_args(WorkMessage), WorkerLoaded, WorkOrder)
}
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def encode(frame: Frame) -> bytes:
    """Return a frame as a line."""
    plain = {"frame": type(frame).__name__} | {
        name: getattr(frame, name) for name in frame.__dataclass_fields__
    }
    message = plain.get("message")
    if type(message).__name__ in _MESSAGES:
        plain |= {
            "kind": type(message).__name__,
            "message": _adapter(type(message)).dump_python(message),
        }
    return json.dumps(plain, default=_bytes_as_text).encode() + b"\n"


class Decoder:
    """Makes frames of the bytes that arrive."""

    def __init__(self, *, is_told: bool = False) -> None:
        """With `is_told`, bytes of names that are no text become escapes.

        So it must be with what is told to people and kept, such as the message of an error.
        """
        self._text = b""
        self._hook = _told if is_told else _bytes_again

    def feed(self, received: bytes) -> list[Frame]:
        """Return the frames that are complete now.

        Raises:
            WireError: a line is no frame, or longer than MAX_FRAME_BYTES.
        """
        *lines, self._text = (self._text + received).split(b"\n")
        if max(map(len, [*lines, self._text])) > MAX_FRAME_BYTES:
            raise WireError(f"a frame of more than {MAX_FRAME_BYTES} bytes")
        return [_decode(line, self._hook) for line in lines]


def _decode(line: bytes, hook: Callable[[dict[str, Any]], Any]) -> Frame:
    try:
        plain = json.loads(line, object_hook=hook)
        frame = _FRAMES[plain.pop("frame")]
        if "kind" in plain:
            plain["message"] = _adapter(_MESSAGES[plain.pop("kind")]).validate_python(
                plain["message"]
            )
        return _adapter(frame).validate_python(plain)  # type: ignore[no-any-return]
    except (
        ValidationError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise WireError(f"no frame: {line[:200]!r} ({error})") from error


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _bytes_as_text(value: object) -> dict[str, str]:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value)} has no form in JSON")
    return {"base64": base64.b64encode(value).decode()}


def _bytes_again(plain: dict[str, Any]) -> Any:
    if plain.keys() != {"base64"}:
        return plain
    try:
        return base64.b64decode(plain["base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _told(plain: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for key, value in plain.items()
    }
