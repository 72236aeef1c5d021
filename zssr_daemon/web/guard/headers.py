"""SecurityHeaders: what every answer of the page tells browsers not to do with it."""

from collections.abc import Sequence

#: Scripts and styles from our files alone; nothing inline, from elsewhere, or framed.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

#: Where an answer has one of these itself, that one counts.
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)

Headers = list[tuple[bytes, bytes]]


def secured(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an answer with those of `SECURITY_HEADERS` that it lacks."""
    there = {name.lower() for name, _ in headers}
    return [*headers, *(pair for pair in SECURITY_HEADERS if pair[0] not in there)]


def plain_answer(status: str, text: str) -> bytes:
    """Return a whole HTTP answer, for what is refused before a request exists."""
    body = text.encode()
    headers = secured(
        [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
    )
    lines = [f"HTTP/1.1 {status}".encode(), *(name + b": " + value for name, value in headers)]
    return b"\r\n".join([*lines, b"", body])
