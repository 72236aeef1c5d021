"""The architecture: imports point down, and what must stay light stays light."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "zssr_daemon"

#: What each module may import of its own package. A module that is not named here is a fault:
#: its place in the order has to be thought about.
ALLOWED: dict[str, set[str]] = {
    # Leaves: data and rules that import nothing.
    "": set(),
    "errors": set(),
    "failpoints": set(),
    "formats": set(),
    "identity": set(),
    "names": {"zssr.scale"},
    "companions": {"names"},
    "log_sinks": set(),
    "logs": {"log_sinks"},
    "child": set(),
    "control_group": set(),
    "colour": set(),
    # Plain data, and files.
    "jobs": {"identity"},
    "outputs": {"errors", "formats"},
    "messages": {"formats", "identity", "outputs", "zssr.config"},
    "explain": set(),
    "settings": {"errors", "explain", "zssr.config"},
    "folder_check": {"errors", "settings"},
    "durable": {"failpoints", "identity", "names"},
    "safe_open": {"errors"},
    "containers": {"errors", "formats"},
    "truncation": {"containers"},
    "depth": {"containers", "errors"},
    "metadata": {"errors", "formats", "colour", "containers"},
    "placement": {"control_group", "settings"},
    "obstacle": {"marker", "settings"},
    # Pictures: neither settings nor ledger nor torch.
    "vips": set(),
    "levels": {"errors"},
    "deep": {"containers", "errors", "vips"},
    "png_writer": {"containers", "metadata", "vips"},
    "tiff_writer": {"metadata", "vips"},
    "encode": {"colour", "metadata", "outputs", "png_writer", "tiff_writer"},
    "verify": {"containers", "deep", "errors", "outputs", "truncation", "vips"},
    "images": {
        "colour",
        "containers",
        "deep",
        "depth",
        "errors",
        "formats",
        "metadata",
        "truncation",
    },
    "probe": {"errors", "formats", "identity", "safe_open", "images"},
    "prober": {"child", "formats", "probe"},
    # The worker's side: no folders' policy, no ledger.
    "mat_file": set(),
    "kernel_file": {
        "errors",
        "mat_file",
        "messages",
        "safe_open",
        "zssr.blur",
        "zssr.config",
    },
    "origin": {
        "errors",
        "kernel_file",
        "messages",
        "names",
        "zssr.blur",
        "zssr.blur_estimate",
        "zssr.degradation",
        "zssr.jpeg",
        "zssr.noise",
    },
    "kernel_record": {"companions", "zssr.blur"},
    "enlarge": {
        "",
        "encode",
        "errors",
        "frames",
        "failpoints",
        "faults",
        "identity",
        "images",
        "levels",
        "kernel_record",
        "messages",
        "origin",
        "outputs",
        "safe_open",
        "verify",
        "weights_store",
        "zssr.config",
        "zssr.pipeline",
        "zssr.strips",
        "zssr.weights",
    },
    "frames": {"images", "messages", "names", "safe_open"},
    "faults": {"errors", "zssr.memory"},
    "weights_store": {"durable", "zssr.weights"},
    "losses": {"messages"},
    "report": {"", "companions", "messages", "names", "safe_open"},
    "worker": {"enlarge", "errors", "logs", "losses", "messages", "names", "report"},
    "worker_slot": {
        "child",
        "control_group",
        "errors",
        "logs",
        "messages",
        "placement",
        "status",
        "worker",
    },
    "executor": {"child", "logs", "messages", "placement", "status", "worker", "worker_slot"},
    # The supervisor's side: no pixels.
    "kernel_check": {"errors", "kernel_file", "messages", "settings", "zssr.config"},
    "ledger_file": {"durable", "errors"},
    "ledger": {"errors", "identity", "jobs", "ledger_file"},
    "profile": {"errors", "names", "safe_open"},
    "followers": {"durable", "errors", "failpoints", "formats", "profile"},
    "image_settings": {"jobs", "ledger", "settings"},
    "layers": {
        "errors",
        "explain",
        "image_settings",
        "messages",
        "names",
        "profile",
        "settings",
    },
    "marker": {"durable", "ledger", "mounts"},
    "mounts": set(),
    "watcher": {"formats", "identity", "mounts"},
    "intake": {
        "errors",
        "failpoints",
        "formats",
        "identity",
        "jobs",
        "layers",
        "ledger",
        "outputs",
        "probe",
        "prober",
        "settings",
        "watcher",
    },
    "publish": {
        "",
        "companions",
        "durable",
        "errors",
        "failpoints",
        "followers",
        "identity",
        "image_settings",
        "jobs",
        "ledger",
        "marker",
        "names",
        "settings",
    },
    "pause": {"logs", "obstacle"},
    "desk": {
        "errors",
        "failpoints",
        "image_settings",
        "job_log",
        "jobs",
        "ledger",
        "messages",
        "metrics",
        "pause",
        "publish",
        "settings",
    },
    "job_log": {"formats", "jobs", "logs", "messages", "names", "zssr.config"},
    "console": {"jobs", "messages", "names"},
    "signals": set(),
    "status": set(),
    "notify": set(),
    "metrics": {"", "messages", "status"},
    "reload": {"errors", "logs", "notify", "settings"},
    "ports": {"control", "desk", "metrics", "notify", "settings", "signals"},
    "control": {"errors"},
    "overview": {
        "",
        "desk",
        "executor",
        "intake",
        "jobs",
        "ledger",
        "names",
        "pause",
        "signals",
        "status",
    },
    "health": {"intake", "ledger", "overview", "pause"},
    "retry": {
        "durable",
        "errors",
        "failpoints",
        "followers",
        "identity",
        "jobs",
        "ledger",
        "marker",
        "names",
        "publish",
        "settings",
    },
    "service": {
        "control",
        "desk",
        "errors",
        "executor",
        "health",
        "intake",
        "ledger",
        "logs",
        "marker",
        "metrics",
        "names",
        "overview",
        "pause",
        "ports",
        "retry",
        "settings",
        "status",
    },
    "orders": {"companions", "intake", "jobs", "layers", "messages", "publish", "settings"},
    "supervisor": {
        "orders",
        "ports",
        "reload",
        "service",
        "desk",
        "errors",
        "executor",
        "failpoints",
        "intake",
        "jobs",
        "layers",
        "ledger",
        "logs",
        "marker",
        "messages",
        "names",
        "obstacle",
        "pause",
        "publish",
        "settings",
    },
    # The commands.
    "daemon": {
        "",
        "control",
        "metrics",
        "notify",
        "ports",
        "signals",
        "console",
        "errors",
        "executor",
        "folder_check",
        "kernel_check",
        "ledger",
        "ledger_file",
        "logs",
        "messages",
        "mounts",
        "placement",
        "settings",
        "supervisor",
        "watcher",
    },
    "check": {"enlarge", "folder_check", "kernel_check", "obstacle", "placement", "settings"},
    "upscale": {
        "companions",
        "durable",
        "enlarge",
        "errors",
        "formats",
        "identity",
        "image_settings",
        "intake",
        "kernel_check",
        "layers",
        "messages",
        "names",
        "outputs",
        "placement",
        "settings",
        "zssr.config",
    },
    "client": {
        "",
        "control",
        "errors",
        "jobs",
        "ledger",
        "ledger_file",
        "marker",
        "names",
        "retry",
        "settings",
        "status",
    },
    "origins": {"settings", "zssr.config"},
    "tables": {"console", "jobs", "names", "origins", "status"},
    "cli": {
        "",
        "check",
        "client",
        "console",
        "daemon",
        "errors",
        "jobs",
        "ledger",
        "messages",
        "names",
        "origins",
        "settings",
        "tables",
        "upscale",
        "zssr.config",
    },
    "__main__": {"cli", "errors", "logs"},
}

#: What the algorithm may import besides itself and the standard library.
ALGORITHM_MAY_IMPORT = {"numpy", "scipy", "torch", "torchvision"}

#: What the supervisor must never load.
HEAVY = ("torch", "torchvision", "PIL", "numpy", "scipy")


def module_name(path: Path) -> str:
    """Return a module's name below the package."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return "" if name == "__init__" else name.removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """Return the dotted names a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(path: Path) -> set[str]:
    """Return the modules of this package that a file imports, by their names below it."""
    own = set()
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "zssr_daemon":
            while rest not in MODULES:  # a class or function in a module
                rest = rest.rpartition(".")[0]
            own.add(rest)
    return own


def test_every_module_has_its_place() -> None:
    """The table names all modules and no others."""
    assert {name for name in MODULES if not name.startswith("zssr")} == set(ALLOWED)


@pytest.mark.parametrize("module", ALLOWED)
def test_imports_are_allowed(module: str) -> None:
    """A module imports what the table lets it."""
    assert own_imports(MODULES[module]) - ALLOWED[module] == set()


def test_table_has_no_cycle() -> None:
    """Imports point down: what is real can be put in an order, and what is allowed too."""
    real = {name: own_imports(path) for name, path in MODULES.items()}
    for graph in (real, ALLOWED):
        assert set(TopologicalSorter(graph).static_order()) >= set(graph)  # or CycleError


def test_algorithm_stands_alone() -> None:
    """`zssr` imports itself, torch, numpy and scipy, and nothing else of ours or of others."""
    may = sys.stdlib_module_names | ALGORITHM_MAY_IMPORT
    for name, path in MODULES.items():
        if name.startswith("zssr"):
            assert {top.split(".")[0] for top in imports(path)} - may <= {"zssr_daemon"}, name
            assert all(own.startswith("zssr.") for own in own_imports(path)), name


def test_settings_load_no_torch() -> None:
    """The parameters are plain: standard library only."""
    for module in ("zssr.config", "zssr.scale"):
        assert own_imports(MODULES[module]) <= {"zssr.scale"}
        outside = {name.split(".")[0] for name in imports(MODULES[module])}
        assert outside <= sys.stdlib_module_names | {"zssr_daemon"}


def test_packages_import_nothing() -> None:
    """Importing a part does not load the whole."""
    for path in ROOT.rglob("__init__.py"):
        assert imports(path) == set(), path


@pytest.mark.parametrize("module", ["supervisor", "daemon", "cli", "worker", "probe"])
def test_supervisor_side_stays_light(module: str) -> None:
    """The process that must never die loads neither torch nor a decoder."""
    assert loaded_by(f"zssr_daemon.{module}", HEAVY) == []


def test_algorithm_side_stays_alone() -> None:
    """Whoever uses the algorithm as a library gets nothing of the daemon."""
    names = ("pydantic", "structlog", "watchdog", "PIL", "rich", "typer")
    assert loaded_by("zssr_daemon.zssr.pipeline", names) == []


def loaded_by(module: str, names: tuple[str, ...]) -> list[str]:
    """Import a module in a fresh interpreter, and say which of `names` that loaded."""
    code = f"import sys, {module}; print(*({set(names)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()
