"""The architecture: imports point down, and what must stay light stays light."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "zssr_daemon"

#: The floors of the house, the highest first. What stands on a floor imports lower floors and its
#: own package only: two packages of one floor know nothing of each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli", "web", "cluster"),
    ("daemon",),
    ("publish",),
    ("inbox", "folders"),
    ("ledger", "executor"),
    ("settings", "worker"),
    ("protocol",),
    ("imaging", "system", "telemetry"),
    ("zssr", "errors", "failpoints", ""),
)

#: The same inside the algorithm.
ALGORITHM_FLOORS: tuple[tuple[str, ...], ...] = (
    ("pipeline",),
    ("start",),
    ("training",),
    ("inference",),
    ("estimation",),
    ("degradation", "device", "network"),
    ("ops", "config"),
    ("scale", "progress", "presets", "target", "limits"),
)

#: What the algorithm may import besides itself and the standard library.
ALGORITHM_MAY_IMPORT = {"numpy", "safetensors", "scipy", "torch", "torchvision"}

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


def part_of(module: str, *, below: str = "") -> str:
    """Return the package, or the lone module, below `below` that a module belongs to."""
    return module.removeprefix(below).split(".")[0]


def faults(floors: tuple[tuple[str, ...], ...], modules: list[str], below: str = "") -> list[str]:
    """Name the imports that point up or sideways, and the modules that stand on no floor."""
    floor_of = {part: number for number, floor in enumerate(floors) for part in floor}
    found = []
    for module in modules:
        own = part_of(module, below=below)
        if own not in floor_of:
            found.append(f"{module} stands on no floor")
            continue
        for imported in own_imports(MODULES[module]):
            other = part_of(imported, below=below)
            if imported.startswith(below) and own != other and floor_of[other] <= floor_of[own]:
                found.append(f"{module} imports {imported}")
    return found


def test_imports_point_down() -> None:
    """A package imports lower floors only."""
    assert faults(FLOORS, list(MODULES)) == []


def test_imports_of_the_algorithm_point_down() -> None:
    """Inside the algorithm too."""
    inside = [name for name in MODULES if name.startswith("zssr.")]
    assert faults(ALGORITHM_FLOORS, inside, below="zssr.") == []


def test_no_circle() -> None:
    """Inside a package the modules can be put in an order too."""
    real = {name: own_imports(path) for name, path in MODULES.items()}
    assert set(TopologicalSorter(real).static_order()) == set(real)  # or CycleError


#: What keeps a file one noun, and a function readable at a glance.
MAX_MODULES, MAX_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS = 18, 320, 45, 7


def test_no_folder_is_a_crowd() -> None:
    """A package has few modules, and the top level only those that belong to no room."""
    for folder in {path.parent for path in MODULES.values()}:
        modules = {path.stem for path in folder.glob("*.py")}
        assert len(modules - {"__init__"}) <= MAX_MODULES, folder
        if folder == ROOT:
            assert modules == {"__init__", "__main__", "errors", "failpoints"}


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_are_short(module: str) -> None:
    """No module, function or signature is longer than one can keep in mind."""
    text = MODULES[module].read_text()
    assert text.count("\n") <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name
            names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
            is_method = names[:1] in (["self"], ["cls"])
            parameters = len(names) + len(node.args.kwonlyargs) - is_method
            assert parameters <= MAX_PARAMETERS, node.name


def test_algorithm_stands_alone() -> None:
    """`zssr` imports itself, torch, numpy, scipy and safetensors, and nothing else."""
    may = sys.stdlib_module_names | ALGORITHM_MAY_IMPORT
    for name, path in MODULES.items():
        if name.startswith("zssr"):
            assert {top.split(".")[0] for top in imports(path)} - may <= {"zssr_daemon"}, name
            assert all(own.startswith("zssr.") for own in own_imports(path)), name


def test_settings_load_no_torch() -> None:
    """The parameters are plain: standard library only."""
    plain = {"zssr.config", "zssr.limits", "zssr.scale", "zssr.presets", "zssr.target"}
    for module in plain:
        assert own_imports(MODULES[module]) <= plain
        outside = {name.split(".")[0] for name in imports(MODULES[module])}
        assert outside <= sys.stdlib_module_names | {"zssr_daemon"}


def test_packages_import_nothing() -> None:
    """Importing a part does not load the whole; each room says in a docstring what it is for."""
    for path in ROOT.rglob("__init__.py"):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        assert imports(path) == set(), path
        assert path.parent == ROOT or len(tree.body) == 1, path


@pytest.mark.parametrize(
    "module",
    [
        *("daemon.supervisor", "daemon.run", "cli.commands", "web.server", "worker.main"),
        *("inbox.probe", "cluster.driver"),
    ],
)
def test_supervisor_side_stays_light(module: str) -> None:
    """The process that must never die loads neither torch nor a decoder."""
    assert loaded_by(f"zssr_daemon.{module}", HEAVY) == []


@pytest.mark.parametrize("module", ["__main__", "daemon.run", "cluster.command", "worker.main"])
def test_ray_stays_outside(module: str) -> None:
    """Ray brings threads, and code from the network: the gateway and its actors alone load it."""
    assert loaded_by(f"zssr_daemon.{module}", ("ray",)) == []


#: A fit of two steps.
FIT = """
import torch
from zssr_daemon.zssr.config import ZSSRConfig
config = ZSSRConfig(start="none", num_epochs=2, rounds=1, crop_size=8, model_width=4, model_depth=2)
zssr_daemon.zssr.pipeline.super_resolve(torch.ones(1, 12, 12), config, device="cpu")
"""


def test_algorithm_side_stays_alone() -> None:
    """Whoever uses the algorithm gets nothing of the daemon, and a fit loads no compiler."""
    names = ("pydantic", "structlog", "watchdog", "PIL", "rich", "typer", "torch._dynamo")
    assert loaded_by("zssr_daemon.zssr.pipeline", names, then=FIT) == []


def loaded_by(module: str, names: tuple[str, ...], *, then: str = "") -> list[str]:
    """Import a module in a fresh interpreter, run `then`, and say which of `names` that loaded."""
    code = f"import sys, {module}\n{then}\nprint(*({set(names)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()
