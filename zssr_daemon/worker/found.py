"""Found: the sentence that says what was found in an image, and what was done about it."""

from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.estimation.blur_estimate import BlurEstimate
from zssr_daemon.zssr.estimation.free_kernel.free_kernel import FreeKernel


def sentence(
    degradation: Degradation,
    kernel: str,
    order: WorkOrder,
    *,
    estimate: BlurEstimate | FreeKernel | None,
    passed_over: str | None,
) -> str:
    """Return the sentence, such as "JPEG of quality 75 removed; no noise or blur found".

    kernel: its name. estimate: of the blur, where one was made. passed_over: why none was made
    that was left to the order.
    """
    removed, absent = _noise_and_jpeg(degradation, order)
    if isinstance(degradation.blur, Kernel):
        removed.append(f"blur ({kernel if estimate is None else estimate})")
    elif estimate is not None and estimate.why == "compressed":
        passed_over = "through so strong a JPEG"
    elif estimate is not None:
        absent.append("blur")
    parts = [f"{_listed(removed, 'and')} removed"] if removed else []
    if degradation.noise_std > 0 and degradation.keeps_grain:
        parts.append(f"grain of {degradation.noise_std:.2g} levels kept")
    parts += [f"no {_listed(absent, 'or')} found"] if absent else []
    parts += [f"blur not looked for {passed_over}"] if passed_over else []
    return "; ".join(parts) or "taken as it is: nothing was looked for"


def _noise_and_jpeg(degradation: Degradation, order: WorkOrder) -> tuple[list[str], list[str]]:
    """Return what is removed of them, and what was looked for in vain."""
    removed, absent = [], []
    if degradation.jpeg_quality is not None:
        removed.append(_compression(degradation))
    elif order.jpeg_quality == "auto":
        absent.append("JPEG")
    if degradation.noise_std > 0 and not degradation.keeps_grain:
        removed.append(f"noise of {degradation.noise_std:.2g} levels")
    if degradation.noise_std == 0 and order.noise_std == "auto":
        absent.append("noise")
    return removed, absent


def _compression(degradation: Degradation) -> str:
    like = f"JPEG of quality {degradation.jpeg_quality}"
    tables = degradation.jpeg_tables
    if tables is None or tables.codec == "JPEG":
        return like
    return f"compression of {tables.codec}, like {like},"


def _listed(names: list[str], last: str) -> str:
    """Return names as a list in words; `last` stands before the last one."""
    *others, name = names
    return f"{', '.join(others)} {last} {name}" if others else name
