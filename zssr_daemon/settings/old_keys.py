"""OldKeys: keys of earlier versions, translated into those of today when settings are read."""

from typing import Any

#: Table and key of what is now [zssr] start.
WARM_START = ("worker", "warm_start")

# What its values mean for start; "off" says nothing of it.
_STARTS = {"off": None, "folder": "folder"}


def translated(raw: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the tables of settings without old keys, and a warning for each that was there.

    A key of today that is there too wins. An old key with a value that it never had stays, so that
    it is refused.
    """
    table, key = WARM_START
    worker, zssr = raw.get(table), raw.get("zssr", {})
    if not isinstance(worker, dict) or not isinstance(zssr, dict):
        return raw, ()
    old = worker.get(key)
    if not isinstance(old, str) or old not in _STARTS:
        return raw, ()
    tables = raw | {table: {name: value for name, value in worker.items() if name != key}}
    start = _STARTS[old]
    if start is not None and "start" not in zssr:
        tables["zssr"] = zssr | {"start": start}
    return tables, (_warning(old, zssr.get("start")),)


def _warning(old: str, start: object) -> str:
    """Return what to do about warm_start; start: as it was written, if it was."""
    setting = f'[worker] warm_start = "{old}"'
    if start is None and old == "off":
        return f"{setting} has no effect any more: delete it; [zssr] start is what counts"
    if start is None:
        return f'{setting} is called [zssr] start = "{old}" now: write that instead'
    is_contradiction = (old == "folder") != (start == "folder")
    verb = "contradicts" if is_contradiction else "is an old key beside"
    return f'{setting} {verb} [zssr] start = "{start}", which counts: delete the old key'
