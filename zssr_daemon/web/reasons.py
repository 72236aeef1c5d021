"""Reasons: why a job failed, as a sentence for people, and what they can do about it."""

from typing import Any

from zssr_daemon.errors import Reason

_REPORT = "Please report it if it happens again."
_MEMORY = "Try a smaller picture or a smaller scale, or fewer workers at a time."
_WAIT = "Nothing; it goes on by itself when the cause is gone."
_DRIVER = "Check the card and its driver."

#: Each with its cure.
SENTENCES: dict[Reason, tuple[str, str]] = {
    Reason.BAD_KERNEL: (
        "The blur kernel beside the picture cannot be used.",
        "Mend or remove the kernel file, and retry.",
    ),
    Reason.BAD_SETTINGS: (
        "The settings for this picture are refused.",
        "Drop it again with other choices, or mend the file that the message names, and retry.",
    ),
    Reason.CORRUPT: ("The file is damaged.", "Upload it again from the original."),
    Reason.FILE_TOO_LARGE: (
        "The file is larger than the limit.",
        "Have [limits] max_MB raised, or save the picture smaller.",
    ),
    Reason.MULTI_FRAME: (
        "The file has several pages, or is an animation.",
        'Split it, or have [output] frames = "each" set.',
    ),
    Reason.OUTPUT_TOO_LARGE: (
        "The result would be larger than the limit, or than its format can hold.",
        "Choose a smaller scale, or PNG or TIFF.",
    ),
    Reason.OUTPUT_WITHOUT_ALPHA: (
        "The picture is transparent, which JPEG cannot hold.",
        "Choose PNG, TIFF or WebP.",
    ),
    Reason.OUTPUT_WITHOUT_HDR: (
        "The picture is HDR, which only PNG can say.",
        "Choose PNG, or convert the picture to SDR first.",
    ),
    Reason.OUTPUT_WITHOUT_SAMPLES: (
        "The picture holds numbers or bands that only TIFF can hold.",
        "Choose TIFF, or the format of the source.",
    ),
    Reason.TOO_MANY_PIXELS: (
        "The picture has more pixels than the limit.",
        "Have [limits] max_input_pixels raised, or cut the picture.",
    ),
    Reason.TRUNCATED: ("The file ends early.", "Upload it again."),
    Reason.UNREADABLE: (
        "The daemon cannot read the file.",
        "Make it readable for the daemon's user, and retry.",
    ),
    Reason.UNSAFE_FILE: ("This is a link, a pipe or a device.", "Put the file itself there."),
    Reason.UNSUPPORTED_DEPTH: (
        "The picture has a depth that would be cut.",
        "Convert it to 8, 16 or 32 bits, and upload it again.",
    ),
    Reason.UNSUPPORTED_FORMAT: (
        "This kind of file is not read.",
        "Save the picture as PNG or TIFF, and upload that.",
    ),
    Reason.UNSUPPORTED_RAW: (
        "This is camera raw, which has to be developed first.",
        "Develop it, and upload the result.",
    ),
    Reason.SOURCE_CHANGED: (
        "The file was replaced while it was in work.",
        "Nothing; the new file has its own turn.",
    ),
    Reason.SOURCE_GONE: ("The file was taken away before its turn.", "Upload it again."),
    Reason.BAD_START: (
        "A part of the program is missing or damaged.",
        "Have the program installed again.",
    ),
    Reason.NOT_FINITE: ("The result was no picture.", "Retry with another preset. " + _REPORT),
    Reason.OUTPUT_INVALID: (
        "The written result is not what was to be written.",
        "Have disk and memory checked. " + _REPORT,
    ),
    Reason.DEVICE_ERROR: ("The device reported an error.", _DRIVER),
    Reason.INTERNAL_ERROR: ("This is a fault of the program.", _REPORT),
    Reason.INTERRUPTED: ("The daemon ended while it was at work on this.", "Retry."),
    Reason.IO_ERROR: ("A file could not be read or written.", "Have the disk checked, and retry."),
    Reason.OUT_OF_MEMORY: ("The memory ran out.", _MEMORY),
    Reason.WORKER_CRASH: ("The process that computed died.", "Retry. " + _REPORT),
    Reason.WORKER_DEVICE_LOST: ("The device failed.", _DRIVER),
    Reason.WORKER_NODE_LOST: (
        "The machine that computed was lost five times with this picture in work.",
        "Have the machines of the cluster checked, and retry.",
    ),
    Reason.WORKER_OOM: ("The machine ran out of memory.", _MEMORY),
    Reason.WORKER_SILENT: (
        "The process that computed showed no progress for too long.",
        "Retry, or choose a faster preset.",
    ),
    Reason.WORKER_TIMEOUT: (
        "It took longer than is allowed.",
        "Choose a faster preset or a smaller scale, or have [limits] job_timeout_s raised.",
    ),
    Reason.CANCELLED: ("It was cancelled.", "Retry brings it back."),
    Reason.CHILDREN_UNAVAILABLE: ("The machine could not start another process.", _WAIT),
    Reason.DEVICE_LOST: ("The device is away.", _DRIVER),
    Reason.DISK_FULL: ("A disk is full.", "Make room; it goes on by itself then."),
    Reason.FOLDER_MISSING: (
        "A folder is missing, or cannot be written to.",
        "Bring it back; it goes on by itself then.",
    ),
    Reason.SHARE_FAULT: ("The disk or share does not answer.", _WAIT),
    Reason.STOPPING: ("The daemon is ending.", "Start it again; the job goes on then."),
    Reason.WORKER_GONE: ("The process that computed is gone.", _WAIT),
}


def explained(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a job, or a pause, with its reason as a sentence and the cure of it."""
    reason = row.get("reason")
    if reason is None:
        return row | {"reason_text": None, "cure": None}
    known = reason in set(Reason)
    sentence, cure = SENTENCES[Reason(reason)] if known else (str(reason), None)
    return row | {"reason_text": sentence, "cure": cure}
