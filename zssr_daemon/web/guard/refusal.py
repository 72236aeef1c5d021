"""RefusedError: a request that is refused, with the sentence that says why and the one that cures.

Every refusal goes out as JSON, `{"error": ..., "cure": ...}`, which the page shows as it is.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from zssr_daemon.errors import ZSSRError


class RefusedError(ZSSRError):
    """The request is refused; the message is for the person at the browser."""

    exit_code = 1

    def __init__(
        self,
        status: int,
        error: str,
        cure: str | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.cure = cure
        self.headers = headers

    def to_response(self) -> Response:
        """Return what is sent."""
        return refusal(self.status, self.error, self.cure, headers=self.headers)


def refusal(
    status: int, error: str, cure: str | None = None, *, headers: dict[str, str] | None = None
) -> Response:
    """Return the answer to a request that is refused."""
    return JSONResponse({"error": error, "cure": cure}, status_code=status, headers=headers)


async def refused(_request: Request, error: Exception) -> Response:
    """Answer a request whose handler raised `RefusedError`."""
    assert isinstance(error, RefusedError)
    return error.to_response()
