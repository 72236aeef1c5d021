"""InboxWatch: whether the kernel tells of changes in the inbox, and why not where it does not.

Scans find everything; a watch only makes them come earlier.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from zssr_daemon.inbox.observer import InboxObserver
from zssr_daemon.settings.schema import Watch
from zssr_daemon.system.mounts import mount_of, tells_of_changes


class InboxWatch:
    """The watch on one inbox, as `[watch]` asks for it."""

    def __init__(self, inbox: Path, settings: Watch, on_hint: Callable[[], None]) -> None:
        """`on_hint` is called, in another thread, when the kernel reports a change."""
        self._why_none = _why_none(inbox, settings.polling)
        self._observer = (
            InboxObserver(inbox, is_recursive=settings.recursive, on_hint=on_hint)
            if self._why_none is None
            else None
        )
        self._starts = 0

    def ensure_alive(self) -> bool:
        """Start the watch, or rebuild it when a part of it died; tell whether that was done."""
        has_started = self._observer is not None and self._observer.ensure_alive()
        self._starts += has_started
        return has_started

    @property
    def way(self) -> Literal["events", "scan"]:
        """How changes are noticed now."""
        return "events" if self._observer is not None and self._observer.is_watching else "scan"

    @property
    def fault(self) -> str | None:
        """Why the kernel tells of no changes although it could, and the cure; None if it does."""
        return None if self._observer is None else self._observer.fault

    @property
    def why_scan(self) -> str | None:
        """Why changes are noticed by scans alone; None where the kernel tells of them."""
        return self._why_none or self.fault

    @property
    def is_well(self) -> bool:
        """Whether the kernel reports changes, or is known not to."""
        observer = self._observer
        return observer is None or observer.is_watching or observer.has_given_up

    @property
    def restarts(self) -> int:
        """How often a watch that had worked was rebuilt."""
        return max(0, self._starts - 1)

    def stop(self) -> None:
        """End the watch."""
        if self._observer is not None:
            self._observer.stop()


def why_scan(inbox: Path, settings: Watch) -> str | None:
    """Try to watch the inbox, and return why it can only be scanned; None if it can be watched."""
    watch = InboxWatch(inbox, settings, on_hint=lambda: None)
    watch.ensure_alive()
    watch.stop()
    return watch.why_scan


def _why_none(inbox: Path, polling: Literal["auto"] | bool) -> str | None:
    """Return why the inbox is not to be watched, or None; `polling` is `[watch] polling`."""
    if polling == "auto":
        kind = mount_of(inbox).kind
        told = f"{kind} does not tell of every change"
        return None if tells_of_changes(kind) else told
    return "[watch] polling = true" if polling else None
