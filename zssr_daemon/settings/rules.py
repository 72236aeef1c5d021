"""Rules: the part of the settings that decoders and encoders need, as plain data."""

import os

from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
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
