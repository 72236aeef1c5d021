"""Check: whether settings, folders, disk and devices are ready for a run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zssr_daemon
from zssr_daemon.daemon.kernel_check import configured_kernel
from zssr_daemon.daemon.start_check import configured_start, start_warnings
from zssr_daemon.executor.placement import cores, placements
from zssr_daemon.folders.check import check_folders
from zssr_daemon.folders.inbox_lock import InboxLock
from zssr_daemon.folders.obstacle import find_obstacle
from zssr_daemon.inbox.watch import why_scan
from zssr_daemon.ledger.lock import is_locked
from zssr_daemon.protocol.messages import SHORT_SHA256
from zssr_daemon.settings.load import unknown_environment_names
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.cgroup import cpu_quota
from zssr_daemon.worker.enlarger import Enlarger


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check; the message of a fault says how to mend it."""

    name: str
    is_good: bool
    message: str


def run_checks(settings: Settings, settings_file: Path) -> Iterator[CheckResult]:
    """Check everything a run needs; the settings themselves are valid already.

    Raises:
        SettingsError: folders, kernel or start are refused, so nothing more can be checked.
    """
    yield CheckResult("settings", True, f"{settings_file}, preset {settings.zssr.preset}")
    for message in settings.warnings:
        yield CheckResult("old key", True, message)
    for name in unknown_environment_names():
        message = f"the variable {name} names no setting: unset it, or correct its name"
        yield CheckResult("environment", False, message)
    check_folders(settings, settings_file)
    for name, folder in settings.folders.by_name().items():
        yield CheckResult(f"folder {name}", True, str(folder))
    yield from _inbox(settings)
    yield _watch(settings)
    kernel = configured_kernel(settings)
    asked = settings.degradation.resolved(settings.zssr.preset).kernel
    yield CheckResult("kernel", True, str(asked) if kernel is None else kernel.name)
    yield _start(settings)
    yield _disk(settings)
    yield _cores()
    for device in sorted({place.device for place in placements(settings.worker)}):
        yield _device(device)
    if settings.cluster.is_used:
        yield from _cluster(settings_file)


def _inbox(settings: Settings) -> Iterator[CheckResult]:
    """Look for a daemon with another state folder on the inbox, while none runs with this one."""
    if is_locked(settings.folders.state):
        return
    lock = InboxLock(settings.folders.inbox)
    fault = lock.fault()
    lock.release()
    if fault is not None:
        yield CheckResult("inbox", False, fault)


def _watch(settings: Settings) -> CheckResult:
    """Tell how new files are noticed; scans alone are slower and no fault."""
    why = why_scan(settings.folders.inbox, settings.watch)
    interval_s = settings.watch.scan_interval_s
    told = "events" if why is None else f"scans only, every {interval_s:g} s: {why}"
    return CheckResult("watch", True, told)


def _start(settings: Settings) -> CheckResult:
    start = configured_start(settings)
    warnings = start_warnings(settings, start)
    if warnings:
        return CheckResult("start", True, warnings[0])
    if start is None:
        return CheckResult("start", True, 'chance, as [zssr] start = "none" asks')
    name = f"{start.name}, sha256 {start.sha256[:SHORT_SHA256]}"
    if settings.zssr.start == "folder":
        name = f"what a sub-folder taught; before that {name}"
    return CheckResult("start", True, name)


def _disk(settings: Settings) -> CheckResult:
    obstacle = find_obstacle(settings)
    if obstacle is not None:
        return CheckResult("disk", False, obstacle.message)
    reserve = settings.limits.min_free_disk_bytes
    return CheckResult("disk", True, f"more than {reserve} bytes free")


def _cores() -> CheckResult:
    quota = cpu_quota()
    why = "" if quota is None else f"; the control group grants the time of {quota:g}"
    message = f"{cores()} of the machine's {os.cpu_count()} are used{why}"
    return CheckResult("cores", True, message)


def _device(device: str) -> CheckResult:
    try:
        ready = Enlarger(device, threads=1).self_test()
    except (RuntimeError, ValueError) as error:
        cure = 'name one that exists in [worker] devices, or set devices = "auto"'
        return CheckResult(f"device {device}", False, f"{error}; {cure}")
    message = f"{ready.device}, torch {ready.torch_version}, a tiny fit works"
    return CheckResult(f"device {device}", True, message)


def _cluster(settings_file: Path) -> Iterator[CheckResult]:
    """Pass on what `cluster check` finds, in a process of its own: Ray stays out of this one."""
    package = str(Path(zssr_daemon.__file__).parent.parent)
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "zssr_daemon", "cluster", "check", "--json"]
    done = subprocess.run(  # noqa: S603 (our own program)
        [*command, "--settings", str(settings_file)],
        env=os.environ | {"PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        yield CheckResult(**json.loads(line))
    if done.returncode not in (0, 1):  # it could not begin, or broke off: 1 is a finding's
        yield CheckResult("cluster", False, " ".join(done.stderr.split()))
