"""Body: the small bodies of requests, JSON objects all of them."""

import asyncio
import json
from typing import Any

from starlette.requests import Request

from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.refusal import RefusedError


async def read_small(request: Request, max_bytes: int, body_s: float) -> bytes:
    """Return the whole body.

    Raises:
        RefusedError: it is too large, or too slow. ClientDisconnect: the client is gone.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(body_s):
            async for chunk in request.stream():
                content += chunk
                if len(content) > max_bytes:
                    raise RefusedError(413, f"more than {max_bytes} bytes")
    except TimeoutError as error:
        raise RefusedError(408, f"not there after {body_s:g} s", "send it again") from error
    return bytes(content)


async def read_json(request: Request, bounds: Bounds) -> dict[str, Any]:
    """Return the object that the body holds; nothing stands for an empty one.

    Raises:
        RefusedError: it is no JSON object, too large, or too slow.
    """
    content = await read_small(request, bounds.max_body_bytes, bounds.body_s)
    try:
        found = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "the body is no JSON") from error
    if not isinstance(found, dict):
        raise RefusedError(400, "the body is no JSON object")
    return found
