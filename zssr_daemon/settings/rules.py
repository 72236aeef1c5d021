"""Rules: the part of the settings that decoders and encoders need, as plain data."""

import os

from zssr_daemon.errors import ImageSettingsError, JobError
from zssr_daemon.imaging.formats import ImageInfo, ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.settings.image_settings import Resolved
from zssr_daemon.settings.schema import Limits, Output


def image_limits(limits: Limits, output: Output) -> ImageLimits:
    """Return the rules for decoding."""
    return ImageLimits(
        max_file_bytes=limits.max_file_bytes,
        max_input_pixels=limits.max_input_pixels,
        each_frame=output.frames == "each",
        accepts_cut=limits.truncated == "accept",
    )


def output_rules(limits: Limits, output: Output) -> OutputRules:
    """Return the rules for an output."""
    return OutputRules(
        setting=output.format,
        quality=output.quality,
        keeps_metadata=output.metadata == "keep",
        max_pixels=limits.max_output_pixels,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
    )


def output_fault(info: ImageInfo, own: Resolved, limits: Limits) -> JobError | None:
    """Say what keeps a source from having an output with its settings, or None."""
    try:
        sized = own.for_size(info.width, info.height).settings
    except ImageSettingsError as error:
        return error
    size = sized.zssr.output_size(info.width, info.height)
    return output_rules(limits, sized.output).fault(info, *size)
