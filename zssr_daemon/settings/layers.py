"""Layers: tables of settings laid over each other, key by key; the nearest layer counts."""

from collections.abc import Mapping
from typing import Any

#: Tables of settings, as a TOML file has them.
Tables = Mapping[str, Any]

# A size and a factor say the same thing, so that a layer with one takes the other's place.
_SIZE = frozenset({"target"})
_FACTORS = frozenset({"scale_factor", "scale_times"})


def laid_over(outer: Tables, nearer: Tables) -> dict[str, Any]:
    """Return the tables of both layers; of each key, the nearer value.

    A size of the nearer layer also takes away the factors of the outer one, and the other way
    round.
    """
    tables = dict(outer)
    for table, values in nearer.items():
        below = tables.get(table)
        if isinstance(values, dict) and isinstance(below, dict):
            replaced = _replaced(values) if table == "zssr" else frozenset()
            kept = {key: value for key, value in below.items() if key not in replaced}
            tables[table] = kept | values
        else:
            tables[table] = values
    return tables


def contradiction(layer: Tables) -> str | None:
    """Say how a layer contradicts itself, by asking for a size and a factor; None: it does not."""
    table = layer.get("zssr")
    if not isinstance(table, dict) or not table.get("target"):
        return None
    factors = sorted(_FACTORS & table.keys())
    if not factors:
        return None
    return f"[zssr] target = {table['target']!r} is a size, {factors[0]} a factor: delete one"


def _replaced(values: Tables) -> frozenset[str]:
    """Return the keys whose place the values of a nearer [zssr] take."""
    if values.get("target"):
        return _FACTORS
    return frozenset() if _FACTORS.isdisjoint(values) else _SIZE
