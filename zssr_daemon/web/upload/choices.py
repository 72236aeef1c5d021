"""Choices: how a batch is to be enlarged, from a closed list, and the profile that says so.

Nothing that a browser sends is copied into a settings file, except a size, which is parsed first.
"""

from typing import Any

from zssr_daemon.settings.toml_text import toml_text
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.zssr.presets import PRESETS
from zssr_daemon.zssr.target import TARGET_FORMS

#: Factors by what a browser sends: the factor of one step, and the number of steps.
_SCALES = {
    "1.5": (1.5, 1),
    "2": (2.0, 1),
    "2.5": (2.5, 1),
    "3": (3.0, 1),
    "4": (4.0, 1),
    "6": (6.0, 1),
    "8": (8.0, 1),
    "2+2": (2.0, 2),
    "2+2+2": (2.0, 3),
}

#: What may be chosen; the templates show it. A scale may also be a size.
CHOICES: dict[str, tuple[Any, ...]] = {
    "preset": tuple(PRESETS),
    "scale": tuple(_SCALES),
    "auto": (None, True, False),
    "format": ("png", "same", "tiff", "jpeg", "webp"),
    "report": (False, True),
}

#: A part that is tried: as the article enlarges it, in three steps.
TRY_PROFILE = toml_text(
    {
        "zssr": {"preset": "fast", "scale_factor": 2.0, "scale_times": 3},
        "output": {"format": "png", "on_success": "delete", "report": False},
    }
)


def profile_of(chosen: dict[str, Any]) -> str:
    """Return the profile for what was chosen; what is not chosen stays as settings.toml has it.

    Raises:
        RefusedError: something is not among the choices.
    """
    for key, value in chosen.items():
        if key not in CHOICES:
            raise RefusedError(400, f"{key!r:.40} cannot be chosen")
        if not _is_among(value, CHOICES[key]) and not (key == "scale" and _is_size(value)):
            cure = f"a size is written as {TARGET_FORMS}" if key == "scale" else None
            raise RefusedError(400, f"{key}: {value!r:.40} is not among the choices", cure)
    zssr: dict[str, Any] = {"preset": chosen["preset"]} if "preset" in chosen else {}
    scale = chosen.get("scale")
    if scale in _SCALES:
        zssr["scale_factor"], zssr["scale_times"] = _SCALES[scale]
    elif scale:
        zssr["target"] = scale
    degradation: dict[str, Any] = {"auto": chosen["auto"]} if chosen.get("auto") is not None else {}
    output: dict[str, Any] = {key: chosen[key] for key in ("format", "report") if key in chosen}
    tables: dict[str, dict[str, Any]] = {"zssr": zssr, "degradation": degradation, "output": output}
    return toml_text({name: values for name, values in tables.items() if values})


def _is_among(value: object, choices: tuple[Any, ...]) -> bool:
    """Tell it of the same type too: 1 is not true."""
    return any(value == each and type(value) is type(each) for each in choices)


def _is_size(value: object) -> bool:
    return value != "" and value in TARGET_FORMS
