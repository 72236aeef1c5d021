"""The published schema of log lines, to validate them by."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "zssr_daemon/telemetry/log_schema.json").read_text()
)

_VALIDATOR = Draft202012Validator(SCHEMA)


def assert_valid(line: dict[str, Any]) -> None:
    """Fail with what is wrong when a log line is not as the schema says."""
    if not _VALIDATOR.is_valid(line):
        kind = line.get("event") if line.get("event") in SCHEMA["$defs"] else "foreign"
        part = {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
        faults = [error.message for error in Draft202012Validator(part).iter_errors(line)]
        faults += [error.message for error in _VALIDATOR.iter_errors(line)]
        raise AssertionError(f"{line}: {faults}")
