"""Bounds: how much, and how long, the page lets one browser or all of them take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Tests hand in smaller ones."""

    max_connections: int = 512  # at a time; one more is answered 503 and closed
    max_uploads: int = 64  # at a time; one more is answered 429
    max_streams: int = 256  # of events, at a time
    max_headers: int = 64
    max_head_bytes: int = 16_384
    max_body_bytes: int = 65_536  # of all requests but uploads
    head_s: float = 15.0  # from the connection, or the last answer, to the end of a request's head
    body_s: float = 30.0  # without a byte of a body; and for the whole of a small one
    stall_s: float = 60.0  # without reading what was sent
    shutdown_s: float = 3.0  # for what is in work when the page is stopped
