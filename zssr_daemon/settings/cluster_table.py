"""ClusterTable: the keys of `[cluster]`."""

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.table import OptionalPath, SettingsTable

#: A host and a port; addresses of IPv6 stand in brackets.
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})")


class Cluster(SettingsTable):
    """Further machines, which the gateway (`zssr-daemon cluster`) reaches; none without address."""

    address: str = ""
    token_file: OptionalPath = None
    local_slots: bool = True
    slots_per_node: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    max_slots: int = Field(64, ge=1, le=4096)
    allow_mixed: bool = False
    tls: bool = True

    @property
    def is_used(self) -> bool:
        """Whether there is a cluster."""
        return bool(self.address)

    def check_token(self) -> None:
        """Look at the token, where there is a cluster.

        Raises:
            SettingsError: its file holds none that only its owner knows.
        """
        fault = token_fault(self.token_file) if self.is_used and self.token_file else None
        if fault is not None:
            raise SettingsError(
                f"[cluster] token_file = {fault}; docs/cluster.md says how to make one"
            )

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        found = _ADDRESS.fullmatch(address)
        if address and (found is None or not 0 < int(found[1]) < 65536):
            raise ValueError('must be "HOST:PORT" or "[IPv6]:PORT", of Ray\'s head')
        return address

    @model_validator(mode="after")
    def _has_a_token(self) -> Self:
        if self.address and self.token_file is None:
            raise ValueError("token_file is missing: machines are joined with a shared token only")
        if not self.address and not self.local_slots:
            raise ValueError("local_slots = false needs an address: nobody would compute")
        return self


def token_fault(file: Path) -> str | None:
    """Return why a file holds no token that only its owner knows; None for a good one."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"{file}: {error.strerror}"
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            return f"{file}: it is no file"
        if mode & 0o177:
            return f"{file}: its mode {mode & 0o777:04o} lets others know it; chmod 600 {file}"
        return None if os.read(fd, 4096).strip() else f"{file}: it is empty"
    finally:
        os.close(fd)
