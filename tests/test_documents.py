"""What the pages say is true: settings, words, commands, modules, links and examples."""

import dataclasses
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from tests.parts.log_lines import SCHEMA
from tests.parts.pages import (
    PAGES,
    ROOT,
    Row,
    anchors,
    links,
    rows,
    shell_commands,
    tables,
    text_without_code,
    words,
)
from tests.test_architecture import ALGORITHM_FLOORS, FLOORS
from zssr_daemon import __version__
from zssr_daemon.__main__ import app
from zssr_daemon.errors import Reason, ZSSRError
from zssr_daemon.executor.interface import WorkerEnd
from zssr_daemon.ledger.job import Disposal, JobState
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.schema import Folders, Settings
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.telemetry.metrics import FileResult, Metrics, Outcome
from zssr_daemon.telemetry.status import Status
from zssr_daemon.zssr.config import LIMITS, ZSSRConfig
from zssr_daemon.zssr.presets import PRESETS

SHIPPED = ROOT / "settings.toml"
README = ROOT / "README.md"
REFERENCE = ROOT / "docs/reference.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PACKAGE = ROOT / "zssr_daemon"

#: Without these a value of a key contradicts the default of another one.
TOGETHER: dict[str, dict[str, Any]] = {
    "reconstruct_step": {"lr_decay_range": 1_000_000},
    "address": {"token_file": "token"},
    "local_slots": {"address": "10.0.0.5:26379", "token_file": "token"},
}


# -- settings ---------------------------------------------------------------------------------


def uncommented() -> str:
    """Return the shipped settings with the keys that stand as comments put in force."""
    return re.sub(r"^# (?=\w+ = )", "", SHIPPED.read_text(), flags=re.MULTILINE)


def test_shipped_settings_are_the_defaults() -> None:
    """The file as shipped changes nothing."""
    assert load_settings(SHIPPED).model_dump() == Settings().relative_to(ROOT).model_dump()


def test_shipped_settings_name_every_key_with_its_default(tmp_path: Path) -> None:
    """No key is missing, and those that stand as comments show their real defaults."""
    tables_of_file = tomllib.loads(uncommented())
    file = tmp_path / "settings.toml"
    without_files = re.sub(r"^((text)?file|auto) = .*", "", uncommented(), flags=re.MULTILINE)
    file.write_text(without_files)  # none has a default
    assert load_settings(file).model_dump() == Settings().relative_to(tmp_path).model_dump()
    assert {name: set(keys) for name, keys in tables_of_file.items()} == {
        name: set(keys_of(name)) for name in Settings.model_fields
    }


def keys_of(table: str) -> dict[str, Any]:
    """Return the keys of a table of settings.toml with their defaults, as TOML has them."""
    default = Settings.model_fields[table].default
    names = (
        [field.name for field in dataclasses.fields(ZSSRConfig)]
        if table == "zssr"
        else list(type(default).model_fields)
    )
    return {name: as_toml(getattr(default, name)) for name in names}


def as_toml(value: Any) -> Any:
    """Return a value as a TOML file gives it."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def from_toml(text: str) -> Any:
    """Return the value that a text means in a TOML file."""
    return tomllib.loads(f"value = {text}")["value"]


def setting_rows() -> dict[str, list[Row]]:
    """Return the rows of the reference by the name of their table."""
    of_settings = [
        table for table in tables(REFERENCE) if re.fullmatch(r"`\[\w+\]`", table.heading)
    ]
    return {
        table.heading.strip("`[]"): table.rows
        for table in of_settings
        if "default" in table.rows[0]
    }


def every_setting() -> Iterator[tuple[str, str, Row]]:
    """Yield table, key and row of each setting of the reference."""
    for table, of_table in setting_rows().items():
        for row in of_table:
            (key,) = words(row["key"])
            yield table, key, row


def test_reference_has_every_setting_with_its_default() -> None:
    """No key is missing, none is made up, none has another default, each says when to change it."""
    told = {
        table: {
            key: from_toml(words(row["default"])[0]) if words(row["default"]) else None
            for name, key, row in every_setting()
            if name == table
        }
        for table in setting_rows()
    }
    assert told == {table: keys_of(table) for table in Settings.model_fields}
    assert [key for _, key, row in every_setting() if not row["change it when"]] == []


def made_with(table: str, key: str, value: Any) -> object:
    """Return a table with one key set; a ValueError refuses it."""
    of_table = type(Settings.model_fields[table].default)
    made: object = of_table(**{key: value} | TOGETHER.get(key, {}))
    return made


def choices(annotation: Any) -> set[object]:
    """Return the words, numbers and truth values that a type names."""
    if annotation is bool:
        return {False, True}
    found = set(get_args(annotation)) if get_origin(annotation) is Literal else set()
    if get_origin(annotation) in {tuple, None, Literal}:
        return found
    return found.union(*map(choices, get_args(annotation)))


def test_reference_names_every_choice_of_a_setting() -> None:
    """What a key can be is in its row, and what its row shows is accepted."""
    for table, key, row in every_setting():
        hints = get_type_hints(type(Settings.model_fields[table].default))
        shown = [from_toml(text) for text in words(row["unit or values"])]
        told = {value for value in shown if not isinstance(value, list)}
        missing = choices(hints[key]) - told
        assert not missing, f"[{table}] {key}: {missing}"
        for value in shown:
            made_with(table, key, value)


def bounds(cell: str) -> tuple[list[float], list[float]]:
    """Return the numbers that a range accepts, its ends, and some that it refuses."""
    number = r"([\d._]+)"
    if found := re.search(rf"above {number}, up to {number}", cell):
        low, high = map(float, found.groups())
        return [high], [low, high + 2]
    if found := re.search(rf"above {number}", cell):
        return [float(found[1]) + 1e-3], [float(found[1])]
    if found := re.search(rf"{number} or more", cell):
        return [float(found[1])], [float(found[1]) - 1e-3]
    if found := re.search(rf"{number} to {number}", cell):
        low, high = map(float, found.groups())
        return [low, high], [low - 1, high + 2]
    return [], []


def test_reference_has_the_ranges_of_the_code() -> None:
    """The ends of each range are accepted, and what lies outside is refused."""
    ranged = 0
    for table, key, row in every_setting():
        good, bad = bounds(row["unit or values"])
        ranged += bool(good)
        for value in good:
            made_with(table, key, int(value) if value.is_integer() else value)
        for value in bad:
            with pytest.raises(ValueError, match=key):
                made_with(table, key, int(value) if value.is_integer() else value)
    assert ranged >= 40


def test_every_numeric_setting_has_its_range() -> None:
    """Nobody has to try which numbers are refused; a choice of a few is named."""
    unranged = [
        f"[{table}] {key}"
        for table, key, row in every_setting()
        if type(keys_of(table)[key]) in {int, float}
        and not isinstance(LIMITS.get(key), tuple)
        and not bounds(row["unit or values"])[0]
    ]
    assert unranged == []


def test_reference_has_the_presets_of_the_code() -> None:
    """Every key in which presets differ is shown with the value of each."""
    (of_presets,) = [table for table in tables(REFERENCE) if "`fast`" in table.rows[0]]
    told = {words(row["key"])[0]: row for row in of_presets.rows}
    assert set(told) == {key for values in PRESETS.values() for key in values}
    for preset in PRESETS:
        config = ZSSRConfig.from_preset(preset)
        shown = {key: from_toml(words(row[f"`{preset}`"])[0]) for key, row in told.items()}
        assert shown == {key: getattr(config, key) for key in told}, preset


def test_readme_names_every_preset() -> None:
    """Nobody has to read the code to learn what can be chosen."""
    text = README.read_text()
    assert [name for name in PRESETS if f'"{name}"' not in text] == []


# -- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "words_of_code"),
    [
        ("event", Events),
        ("reason", Reason),
        ("end", WorkerEnd),
        ("state", JobState),
        ("disposal", Disposal),
    ],
)
def test_reference_has_every_word(column: str, words_of_code: type[StrEnum]) -> None:
    """No word is missing, none is made up, none is explained twice."""
    told = [words(row[column])[0] for row in rows(REFERENCE, column)]
    assert sorted(told) == sorted(words_of_code)


def test_reference_has_every_pause() -> None:
    """As the schema of log lines has them."""
    told = [words(row["pause"])[0] for row in rows(REFERENCE, "pause")]
    assert told == SCHEMA["$defs"]["paused"]["properties"]["reason"]["enum"]
    assert set(told) <= set(Reason)


def test_reference_has_every_exit_code() -> None:
    """Those of the errors, success, and wrong usage, which is the command line's own."""

    def codes(error: type[ZSSRError]) -> set[int]:
        return {error.exit_code}.union(*map(codes, error.__subclasses__()))

    told = [int(row["exit code"]) for row in rows(REFERENCE, "exit code")]
    assert told == sorted({0, 2} | codes(ZSSRError))


def test_reference_has_every_command() -> None:
    """As the program has them."""
    told = [words(row["command"])[0] for row in rows(REFERENCE, "command")]
    commands = [
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback is not None
    ]
    groups = [
        str(group.typer_instance.info.name)
        for group in app.registered_groups
        if group.typer_instance
    ]
    assert sorted(told) == sorted(commands + groups)


# -- the log ----------------------------------------------------------------------------------


def of_job(definition: dict[str, Any]) -> bool:
    """Tell whether an event has the keys of every line of a job."""
    return {"$ref": "#/$defs/job"} in definition.get("allOf", [])


def test_reference_has_the_keys_of_every_event() -> None:
    """As the schema of log lines has them: those that are always there, and the others."""
    for row in rows(REFERENCE, "event"):
        event = words(row["event"])[0]
        definition = SCHEMA["$defs"][event]
        keys = set(definition["properties"]) - {"event"}
        always = set(definition.get("required", []))
        assert set(words(row["keys"])) == always, event
        assert set(words(row["keys where they apply"])) == keys - always, event
        assert (row["of a job"] == "yes") == of_job(definition), event


def test_reference_explains_every_key_of_the_log() -> None:
    """Once each, and with all of its values where they are few."""
    definitions = [SCHEMA, *SCHEMA["$defs"].values()]
    properties = [item for each in definitions for item in each.get("properties", {}).items()]
    (table,) = [table for table in tables(REFERENCE) if table.heading == "Keys"]
    told = {words(row["key"])[0]: row["meaning"] for row in table.rows}
    assert sorted(told) == sorted({key for key, _ in properties})
    assert len(table.rows) == len(told)
    for key, schema in properties:
        values = schema.get("enum", []) + schema.get("propertyNames", {}).get("enum", [])
        missing = [value for value in values if value and value not in words(told[key])]
        assert missing == [] or key == "reason", key  # which has tables of its own, tested above


# -- metrics ----------------------------------------------------------------------------------


#: One worker in each state.
WORKERS = tuple(
    {"device": "cpu", "is_ready": is_ready, "is_well": is_well, "silent_for_s": 0.0}
    for is_ready, is_well in ((True, True), (False, True), (False, False))
)


@pytest.fixture
def written(tmp_path: Path) -> dict[str, tuple[set[str], set[str]]]:
    """Return the metrics of a daemon that has met everything: their labels and bounded values."""
    folders = dict.fromkeys(Folders.model_fields, tmp_path)
    metrics = Metrics(tmp_path / "zssr.prom", folders)
    for result in FileResult:
        metrics.file_seen(result)
    for outcome in Outcome:
        metrics.job_ended(outcome)
    stages = SCHEMA["$defs"]["job_done"]["properties"]["seconds"]["propertyNames"]["enum"]
    metrics.job_took(dict.fromkeys(stages, 1.0), 4.0, 0)
    for end in WorkerEnd:
        metrics.worker_restarted(end)
    metrics.worker_ready("2.14.1+cu130")
    found: dict[str, tuple[set[str], set[str]]] = {}
    for watch in ("events", "scan"):
        status = Status.from_plain(
            dict.fromkeys((field.name for field in dataclasses.fields(Status)), 1)
            | {"version": __version__, "phase": "running", "faults": (), "pause": None}
            | {"workers": WORKERS, "jobs": (), "watch": watch}
        )
        metrics.write(status, scan_took_s=0.1, publishing=0)
        for family in text_string_to_metric_families((tmp_path / "zssr.prom").read_text()):
            name = family.name + "_total" * (family.type == "counter")
            labels, values = found.setdefault(name, (set(), set()))
            for sample in family.samples:
                own = {label: text for label, text in sample.labels.items() if label != "le"}
                labels |= set(own)
                values |= set(own.values())
    return found


def test_reference_has_every_metric(written: dict[str, tuple[set[str], set[str]]]) -> None:
    """With its labels, and with all values of those that have few."""
    told = {words(row["metric"])[0]: row for row in rows(REFERENCE, "metric")}
    assert sorted(told) == sorted(written)
    for name, (labels, values) in written.items():
        assert set(words(told[name]["labels"])) == labels, name
        if name != "zssr_build_info":
            assert set(words(told[name]["values"])) == values - {""}, name


def test_reference_has_the_metric_label_of_every_end(tmp_path: Path) -> None:
    """Two ends of a worker are called otherwise there."""
    for row in rows(REFERENCE, "end"):
        metrics = Metrics(tmp_path / "zssr.prom")
        metrics.worker_restarted(words(row["end"])[0])
        status = Status.from_plain(
            dict.fromkeys((field.name for field in dataclasses.fields(Status)), 1)
            | {"faults": (), "pause": None, "workers": (), "jobs": ()}
        )
        metrics.write(status, scan_took_s=0.0, publishing=0)
        label = words(row["label of the metric"])[0]
        line = f'zssr_worker_restarts_total{{reason="{label}"}} 1.0'
        assert line in (tmp_path / "zssr.prom").read_text()


# -- architecture -----------------------------------------------------------------------------


def test_architecture_has_the_floors() -> None:
    """Every package on its floor, in the order of the tuple that the imports are held to."""
    told = [(int(row["floor"]), words(row["package"])[0]) for row in rows_with("package")]
    floors = reversed(FLOORS[1:])  # without __main__
    assert sorted(told) == sorted(
        (number, package)
        for number, floor in enumerate(floors, 1)
        for package in floor
        if (PACKAGE / package / "__init__.py").is_file() and package
    )


def test_architecture_has_the_floors_of_the_algorithm() -> None:
    """Every part of it on its floor."""
    told = [
        (int(row["floor"]), words(row["part of `zssr`"])[0]) for row in rows_with("part of `zssr`")
    ]
    assert sorted(told) == sorted(
        (number, part)
        for number, floor in enumerate(reversed(ALGORITHM_FLOORS), 1)
        for part in floor
        if (PACKAGE / "zssr" / part).is_dir() or (PACKAGE / "zssr" / f"{part}.py").is_file()
    )


def rows_with(column: str) -> list[Row]:
    """Return the rows of the architecture's tables that have a column."""
    return [row for table in tables(ARCHITECTURE) for row in table.rows if column in row]


def test_architecture_names_every_package_and_lone_module() -> None:
    """Nothing of the tree is missing, nothing is made up."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {words(row["package"])[0] for row in rows_with("package")} == packages
    lone = [words(row["module"])[0] for row in rows(ARCHITECTURE, "module")]
    assert sorted(lone) == sorted(path.name for path in PACKAGE.glob("*.py"))


# -- all pages --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file or folder of the repository, and a heading that is there."""
    broken = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name) if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name != "bench"], ids=lambda page: page.name
)
def test_named_files_exist(page: Path) -> None:
    """A module or test that a page names is there, below the root or the package."""
    named = re.findall(r"`(\w[\w.-]*/[\w./-]+\.py)`", text_without_code(page))
    bases = (ROOT, PACKAGE)
    assert [name for name in named if not any((base / name).exists() for base in bases)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_bench_modules_exist(page: Path) -> None:
    """Each `python -m` of a page names a module."""
    named = set(re.findall(r"python -m ((?:bench|stress)[\w.]*\w)", page.read_text()))
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


def test_readme_code_runs(tmp_path: Path) -> None:
    """The library example works as it stands, from the root of a clone."""
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "(3, 256, 256) False\n"
    assert (tmp_path / "butterfly_x2.png").is_file()


def test_commands_of_the_pages_are_understood() -> None:
    """Each command in the examples exists, with the options it is shown with."""
    examples = "\n".join(map(shell_commands, PAGES))
    shown = re.findall(r"(?<!-u )zssr-daemon ((?:[\w./*$-]+ ?)+)", examples)
    commands = [command.split() for command in shown]
    assert len(commands) >= 10
    for verb, *rest in commands:
        told = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0, verb
        assert [word for word in rest if word.startswith("-") and word not in told.output] == []


def test_make_targets_of_the_pages_exist() -> None:
    """Each `make` of the examples names a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"^(?:sudo )?make ([a-z]+)", "\n".join(map(shell_commands, PAGES)), re.M)
    assert {"run", "test", "install"} <= set(named) <= targets


def test_contributing_says_why_each_dependency_is_there() -> None:
    """Whatever is installed has its reason in a table."""
    pinned = {
        re.split(r"[\[=]", line)[0]
        for file in ROOT.glob("requirements*.txt")
        for line in file.read_text().splitlines()
        if re.match(r"\w", line)
    }
    found = [table for table in tables(CONTRIBUTING) if table.heading == "Dependencies"]
    told = {
        name
        for table in found
        for row in table.rows
        for name in next(iter(row.values())).split(", ")
    }
    assert pinned - told == set()


def test_readme_stays_short() -> None:
    """A newcomer reads it whole; everything else is on a page of its own."""
    assert len(README.read_bytes()) <= 12_000


def test_changelog_has_this_version() -> None:
    """What is released says what it brings."""
    assert f"\n## {__version__} - 20" in (ROOT / "CHANGELOG.md").read_text()
