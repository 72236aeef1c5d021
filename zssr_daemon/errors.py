"""Errors: the tree of exceptions, each with its exit code, and the reasons why a job can fail."""

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """Why a job failed, goes back to the queue, or waits.

    The words stand in log, ledger, metrics and `NAME.error.json`, and never change their
    spelling. docs/reference.md says what to do about each.
    """

    # The file, or what lies beside it, is at fault.
    BAD_KERNEL = "bad_kernel"
    BAD_SETTINGS = "bad_settings"
    CORRUPT = "corrupt"
    FILE_TOO_LARGE = "file_too_large"
    MULTI_FRAME = "multi_frame"
    OUTPUT_TOO_LARGE = "output_too_large"
    OUTPUT_WITHOUT_ALPHA = "output_without_alpha"
    OUTPUT_WITHOUT_HDR = "output_without_hdr"
    OUTPUT_WITHOUT_SAMPLES = "output_without_samples"
    TOO_MANY_PIXELS = "too_many_pixels"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    UNSAFE_FILE = "unsafe_file"
    UNSUPPORTED_DEPTH = "unsupported_depth"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNSUPPORTED_RAW = "unsupported_raw"
    # The file was replaced or taken away before its job was done.
    SOURCE_CHANGED = "source_changed"
    SOURCE_GONE = "source_gone"
    # The installation is at fault.
    BAD_START = "bad_start"
    # The result is no picture, or was not written as it should be.
    NOT_FINITE = "not_finite"
    OUTPUT_INVALID = "output_invalid"
    # The attempt failed; another one may succeed.
    DEVICE_ERROR = "device_error"
    INTERNAL_ERROR = "internal_error"
    INTERRUPTED = "interrupted"
    IO_ERROR = "io_error"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_CRASH = "worker_crash"
    WORKER_DEVICE_LOST = "worker_device_lost"
    WORKER_NODE_LOST = "worker_node_lost"
    WORKER_OOM = "worker_oom"
    WORKER_SILENT = "worker_silent"
    WORKER_TIMEOUT = "worker_timeout"
    # An administrator stopped the job: nothing is at fault.
    CANCELLED = "cancelled"
    # The surroundings failed, or the attempt was stopped: it does not count, and the job goes back
    # to the queue or waits.
    CHILDREN_UNAVAILABLE = "children_unavailable"
    DEVICE_LOST = "device_lost"
    DISK_FULL = "disk_full"
    FOLDER_MISSING = "folder_missing"
    SHARE_FAULT = "share_fault"
    STOPPING = "stopping"
    WORKER_GONE = "worker_gone"


class ZSSRError(Exception):
    """Any error that this program raises on purpose; the message is for the user."""

    exit_code: ClassVar[int] = 70


class SettingsError(ZSSRError):
    """Settings or folders are refused; the message names key, value and cure."""

    exit_code = 78


class LedgerLockedError(ZSSRError):
    """Another daemon holds the ledger of this state folder."""

    exit_code = 75


class InboxLockedError(ZSSRError):
    """Another daemon works on this inbox, or on one above or below it."""

    exit_code = 75


class LedgerLostError(ZSSRError):
    """The ledger was damaged or taken away while in use; the daemon goes on with a new one."""


class NoDaemonError(ZSSRError):
    """No daemon is running on this state folder."""

    exit_code = 1


class DaemonSilentError(ZSSRError):
    """A daemon is running, but does not answer."""

    exit_code = 1


class NotAllowedError(ZSSRError):
    """A daemon may be running, but this user may not ask it."""

    exit_code = 1


class ClusterRefusedError(ZSSRError):
    """The head of the cluster does not take us; the message says what may be wrong."""

    exit_code = 1


class RequestRefusedError(ZSSRError):
    """What an administrator asks for cannot be done; the message says why."""

    exit_code = 1


class RetryRefusedError(RequestRefusedError):
    """A job cannot be retried; the message says why."""


class CancelRefusedError(RequestRefusedError):
    """A job cannot be cancelled; the message says why."""


class AdmissionRefusedError(RequestRefusedError):
    """A file cannot be admitted; the message says why."""


class JobError(ZSSRError):
    """One image cannot be processed; the daemon and the other images go on."""

    exit_code = 1
    reason: Reason = Reason.INTERNAL_ERROR
    is_retryable: bool = False

    def __init__(self, message: str, *, reason: Reason | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class ImageError(JobError):
    """The file itself is at fault; another attempt cannot help."""

    reason = Reason.CORRUPT


class KernelError(JobError):
    """A blur kernel cannot be used; another attempt cannot help."""

    reason = Reason.BAD_KERNEL


class ImageSettingsError(JobError):
    """The settings beside or above an image are refused; the message names file, key and cure."""

    reason = Reason.BAD_SETTINGS


class SourceChangedError(JobError):
    """The source is no longer the file that the ledger knows; it has to settle again."""

    reason = Reason.SOURCE_CHANGED
    is_retryable = True


class TransientError(JobError):
    """Another attempt may help: after a crash, a hang or an error of the device."""

    reason = Reason.WORKER_CRASH
    is_retryable = True


class DeviceError(TransientError):
    """The device has failed, and the process that uses it must end."""

    reason = Reason.DEVICE_ERROR


#: A file that is still being written, or whose settings are, can be refused for these reasons, so
#: it is examined again later.
UNFINISHED_REASONS = frozenset(
    {
        Reason.TRUNCATED,
        Reason.CORRUPT,
        Reason.UNSUPPORTED_FORMAT,
        Reason.UNREADABLE,
        Reason.BAD_SETTINGS,
    }
)
