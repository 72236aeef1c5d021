"""NodeFacts: what two machines must have alike, so that one file gives the same bytes on both."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from zssr_daemon import __version__
from zssr_daemon.protocol.code_hash import code_sha256
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.zssr.start.start_file import shipped_folder, start_files

#: The facts by their names, as texts: plain data, which any version of this module can read.
Facts = Mapping[str, str]

#: Facts that no setting makes harmless.
_STRICT = ("zssr_daemon", "code", "starts", "python")

#: Facts that `[cluster] allow_mixed` lets differ.
_PACKAGES = ("torch", "numpy", "pillow", "pyvips", "pyvips-binary")
_MACHINE = ("processor", "device")

_SHORT = 8  # digits of a hash that people are shown


def facts_of_this_machine() -> dict[str, str]:
    """Gather the facts; this loads torch, so the gateway asks a child for its own.

    Raises:
        OSError, StartError: the installation is damaged.
    """
    # Only here, so that the gateway stays free of it.
    import torch  # noqa: PLC0415

    has_card = torch.cuda.is_available()
    return {
        "zssr_daemon": __version__,
        "code": code_sha256(),
        "starts": _starts_sha256(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # with its build: another one gives other bytes
        **{name: _version(name) for name in _PACKAGES[1:]},
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "device": torch.cuda.get_device_name(0) if has_card else "cpu",
    }


def facts_of_a_child() -> Facts:
    """Gather the facts in a process of their own, which ends.

    Raises:
        EOFError: it could not.
    """
    child = ChildProcess("zssr-facts", _tell)
    try:
        return dict(child.connection.recv())
    finally:
        child.kill()


def differences(ours: Facts, theirs: Facts, *, allow_mixed: bool) -> list[str]:
    """Say in what another machine differs so much that it cannot work with this one."""
    names = _STRICT if allow_mixed else (*_STRICT, *_PACKAGES, *_MACHINE)
    return [
        f"{name} {_shown(theirs.get(name))} there, {_shown(ours.get(name))} here"
        for name in names
        if theirs.get(name) != ours.get(name)
    ]


def cure_of(ours: Facts, theirs: Facts) -> str:
    """Say what makes two machines alike again."""
    if differences(ours, theirs, allow_mixed=True):
        return "install the same release on both, and start the node again"
    return "install the same packages on both, or set [cluster] allow_mixed = true"


def _shown(value: str | None) -> str:
    if value is None:
        return "unknown"
    return value[:_SHORT] if len(value) == hashlib.sha256().digest_size * 2 else value


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _starts_sha256() -> str:
    """Return one hash over the hashes of all starts that come with the program."""
    told = sorted(f"{start.name} {start.sha256}\n" for start in start_files(shipped_folder()))
    return hashlib.sha256("".join(told).encode()).hexdigest()


def _tell(connection: "Connection[Any, Any]") -> None:
    connection.send(facts_of_this_machine())
