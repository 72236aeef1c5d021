"""WebTable: the keys of `[web]`."""

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from zssr_daemon.settings.table import OptionalPath, SettingsTable

#: `unix:` and an absolute path, or a host and a port; addresses of IPv6 stand in brackets.
_LISTEN = re.compile(r"unix:/.+|(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})")

#: A host as browsers name it, without a port.
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+")


class Web(SettingsTable):
    """The web page, which is a process of its own (`zssr-daemon web`)."""

    listen: str = "127.0.0.1:8770"
    allowed_hosts: tuple[str, ...] = Field(("localhost", "127.0.0.1"), min_length=1)
    max_upload_bytes: int = Field(200_000_000, ge=1)
    max_files: int = Field(10_000, ge=1)
    tls_cert: OptionalPath = None
    tls_key: OptionalPath = None
    plain_http: bool = False

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, listen: str) -> str:
        found = _LISTEN.fullmatch(listen)
        if found is None or int(found[1] or 0) > 65535:
            raise ValueError('must be "HOST:PORT", "[IPv6]:PORT" or "unix:/path/of/a.sock"')
        return listen

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        lower = tuple(host.lower().strip("[]") for host in hosts)
        for host in lower:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host!r} must be a host's name or address, without a port")
        return lower

    @model_validator(mode="after")
    def _has_both_files_of_tls(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key go together; set both or none")
        return self
