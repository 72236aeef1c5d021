"""NetworkKey: what weights must have in common with a fit to be of any use to it.

Standard library only: the supervisor reads it to say which start a fit would begin with.
"""

import json
from dataclasses import fields
from typing import Any

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.scale import Scale


def network_key(config: ZSSRConfig, channels: int) -> str:
    """Return architecture, channels and the scale of one pass, as text.

    It is also the `compatibility_key` of a fit of a source that was shrunk and nothing else: such
    weights may start the fit of any other source. config: as `Degradation.adapted` returns it;
    channels: of the image, 1 or 3.
    """
    return json.dumps(network_values(config, channels), sort_keys=True)


def network_values(config: ZSSRConfig, channels: int) -> dict[str, Any]:
    """Return the same by name."""
    if config.in_channels != "auto":
        channels = config.in_channels
    names = [field.name for field in fields(config) if field.name.startswith("model_")]
    values: dict[str, Any] = {name: getattr(config, name) for name in names}
    return values | {"channels": channels, "scale": _as_floats(config.network_scale)}


def _as_floats(scale: Scale) -> Scale:
    """Return a scale that has one text, whether it was given as 2 or as 2.0."""
    return (float(scale[0]), float(scale[1])) if isinstance(scale, tuple) else float(scale)
