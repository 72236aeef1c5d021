"""Work reports for tests that are not about most of what they say."""

from typing import Any

from zssr_daemon.protocol.messages import WorkReport


def report_of(**values: Any) -> WorkReport:
    """Return a report with these values, and others that could be."""
    plain: dict[str, Any] = {
        "out_width": 2,
        "out_height": 2,
        "seconds": {},
        "iterations": 1,
        "restarts": 0,
        "is_fallback": False,
        "start": None,
        "start_sha256": None,
        "psnr_network_db": None,
        "psnr_bicubic_db": None,
        "patch_size": 128,
        "batch_size": 4,
        "peak_memory_bytes": 1,
    }
    return WorkReport(**plain | values)
