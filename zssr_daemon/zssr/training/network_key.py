"""NetworkKey: what weights must have in common with a fit to be of any use to it.

Standard library only: the supervisor reads it to say which start a fit would begin with.
"""

import json
from dataclasses import fields
from typing import Any

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.scale import Scale, unshuffle_factor


def network_key(config: ZSSRConfig, channels: int) -> str:
    """Return architecture, channels and the factor of unshuffling, as text.

    Scales up to 2.5 share the factor 2, so that one start serves them all. How a source was
    degraded does not matter. config: as `Degradation.adapted` returns it; channels: of the image,
    1 or 3.
    """
    values = network_values(config, channels)
    del values["scale"]
    unshuffle = unshuffle_factor(config.network_scale, config.model_variant)
    return json.dumps(values | {"unshuffle": unshuffle}, sort_keys=True)


def network_values(config: ZSSRConfig, channels: int) -> dict[str, Any]:
    """Return architecture, channels and the scale of one pass, by name."""
    if config.in_channels != "auto":
        channels = config.in_channels
    names = [field.name for field in fields(config) if field.name.startswith("model_")]
    values: dict[str, Any] = {name: getattr(config, name) for name in names}
    if not config.model_pairs:
        del values["model_pairs"]  # weights from before there were pairs stay of use
    return values | {"channels": channels, "scale": _as_floats(config.network_scale)}


def _as_floats(scale: Scale) -> Scale:
    """Return a scale that has one text, whether it was given as 2 or as 2.0."""
    return (float(scale[0]), float(scale[1])) if isinstance(scale, tuple) else float(scale)
