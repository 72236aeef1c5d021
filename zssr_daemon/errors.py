"""The exception tree: what went wrong, as a stable slug, and what it means for the job.

`reason` is what logs, the ledger and `NAME.error.json` carry; it never changes its spelling.
"""

from typing import ClassVar


class ZSSRError(Exception):
    """Anything this program reports on purpose."""

    exit_code: ClassVar[int] = 70


class SettingsError(ZSSRError):
    """Settings or folders are refused; the message names key, value and cure."""

    exit_code = 78


class LedgerLockedError(ZSSRError):
    """Another daemon holds the ledger of this state folder."""

    exit_code = 75


class LedgerLostError(ZSSRError):
    """The ledger was damaged or taken away while in use; the daemon begins anew with another."""


class NoDaemonError(ZSSRError):
    """No daemon is running on this state folder."""

    exit_code = 1


class DaemonSilentError(ZSSRError):
    """A daemon is running and does not answer."""

    exit_code = 1


class NotAllowedError(ZSSRError):
    """A daemon may be running, and this user may not ask it."""

    exit_code = 1


class RetryRefusedError(ZSSRError):
    """A job cannot be tried again; the message says why."""

    exit_code = 1


class JobError(ZSSRError):
    """One image cannot be processed; the daemon and the other images go on."""

    exit_code = 1
    reason: str = "internal_error"
    is_retryable: bool = False

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class ImageError(JobError):
    """The file itself is at fault: trying again cannot help.

    `reason` is one of: unsafe_file, file_too_large, unsupported_format, too_many_pixels,
    multi_frame, unsupported_depth, output_too_large, output_without_alpha, truncated, corrupt,
    unreadable.
    """

    reason = "corrupt"


class KernelError(JobError):
    """A blur kernel cannot be used; trying again cannot help."""

    reason = "bad_kernel"


class ImageSettingsError(JobError):
    """The settings beside or above an image are refused; the message names file, key and cure."""

    reason = "bad_settings"


class SourceChangedError(JobError):
    """The source is no longer the file the ledger knows; it goes back to settling."""

    reason = "source_changed"
    is_retryable = True


class TransientError(JobError):
    """Trying again may help: a worker crash, a hang, a device error."""

    reason = "worker_crash"
    is_retryable = True


class DeviceError(TransientError):
    """The device's context is lost: the process that holds it must end."""

    reason = "device_error"


#: A file still being written, or its settings, can look like each of these; it is looked at again.
UNFINISHED_REASONS = frozenset(
    {"truncated", "corrupt", "unsupported_format", "unreadable", ImageSettingsError.reason}
)
