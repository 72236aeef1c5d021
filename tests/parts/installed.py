"""Installed: the program as a user has it, without the source tree on its path."""

import os
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from tests.parts.daemon_process import DATA, QUICK_ZSSR, prepare
from tests.parts.tools import tool
from zssr_daemon import __version__

ROOT = Path(__file__).parents[2]

#: Data of the package whose ending no list foresees.
ODD_DATA = Path("zssr_daemon/zssr/training/odd_data.w8s")


def copy_of_source(folder: Path) -> Path:
    """Copy what a commit would hold, with ODD_DATA added, and return the copy."""
    args = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"]
    done = subprocess.run(
        [tool("git", package="git"), *args], cwd=ROOT, capture_output=True, check=True
    )
    for name in map(os.fsdecode, filter(None, done.stdout.split(b"\0"))):
        if (ROOT / name).exists():  # not deleted since the last commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ODD_DATA).write_bytes(b"\0")
    return folder


def package_files(root: Path) -> set[str]:
    """Name the files of the package below `root`, but what Python writes beside them."""
    files = (path.relative_to(root) for path in (root / "zssr_daemon").rglob("*"))
    return {str(p) for p in files if (root / p).is_file() and "__pycache__" not in p.parts}


def empty_environment(folder: Path) -> Path:
    """Make an environment without any package, and return its interpreter."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def add_dependencies(python: Path) -> None:
    """Let an environment see the packages of ours.

    A folder named in a .pth file is searched, but its own .pth files are not read: so a package
    that is installed as editable in our environment, as ours is, is not seen.
    """
    (packages,) = (python.parent.parent / "lib").glob("python*/site-packages")
    ours = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (packages / "dependencies.pth").write_text("\n".join(sorted(ours)) + "\n")


def environment() -> Mapping[str, str]:
    """Return ours, without a path to the source tree."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def output_of(*command: object, cwd: Path) -> str:
    """Run a command away from the source tree, and return what it prints."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_works(program: Path, folder: Path) -> None:
    """Let an installed `zssr-daemon` tell its version, enlarge a picture, and work off an inbox."""
    assert f"zssr-daemon {__version__}\n" == output_of(program, "--version", cwd=folder)
    inbox = prepare(folder, QUICK_ZSSR, more="[output]\nreport = true", is_auto=True)
    with Image.open(DATA / "butterfly_lr.png") as picture:
        picture.crop((0, 0, 32, 24)).save(inbox / "a.png")
    settings = ("--settings", folder / "settings.toml")
    output_of(program, "upscale", inbox / "a.png", *settings, "-o", folder / "x2.png", cwd=folder)
    assert size_of(folder / "x2.png") == (64, 48)
    output_of(program, "run", "--once", *settings, cwd=folder)
    assert size_of(folder / "output" / "a_x2.png") == (64, 48)
    assert "</html>" in (folder / "output" / "a_x2.png.report.html").read_text()


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a picture."""
    with Image.open(path) as picture:
        return picture.size
