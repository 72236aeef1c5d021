"""The package: what `python -m build` makes is whole, and works where nothing else of ours is."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.parts import installed
from zssr_daemon import __version__


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the source tree, so that a build leaves nothing in ours."""
    return installed.copy_of_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """Build the source archive, and the wheel from it, without network."""
    command = [sys.executable, "-m", "build", "--no-isolation"]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.mark.slow
def test_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """In an environment with nothing but the dependencies, the program runs from there."""
    python = installed.empty_environment(tmp_path / "environment")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    installed.output_of(*pip, "install", "--no-index", "--no-deps", wheel, cwd=tmp_path)
    installed.add_dependencies(python)
    code = "import zssr_daemon; print(zssr_daemon.__file__)"
    place = installed.output_of(python, "-c", code, cwd=tmp_path)
    assert place.startswith(str(tmp_path / "environment"))
    installed.assert_works(python.with_name("zssr-daemon"), tmp_path)


def test_wheel_holds_the_whole_package(source: Path, wheel: Path) -> None:
    """All files of the package, whatever their endings, and no other package of ours."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert installed.package_files(source) == names
    assert str(installed.ODD_DATA) in names


def test_metadata_says_whose_it_is_and_how_it_may_be_used(wheel: Path) -> None:
    """What a packager looks for: name, version, authors, SPDX licence and its text, types."""
    with zipfile.ZipFile(wheel) as archive:
        folder = f"zssr_daemon-{__version__}.dist-info"
        lines = archive.read(f"{folder}/METADATA").decode().splitlines()
        assert archive.read(f"{folder}/licenses/LICENSE").startswith(b"MIT License\n")
        assert "zssr_daemon/py.typed" in archive.namelist()
    assert set(lines) >= {
        "Name: zssr-daemon",
        f"Version: {__version__}",
        "Author: the zssr_daemon contributors",
        "License-Expression: MIT",
        "License-File: LICENSE",
        "Classifier: Typing :: Typed",
    }
