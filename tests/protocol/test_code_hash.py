"""CodeHash: equal code has one hash, and other code has another."""

import subprocess
import sys
from pathlib import Path

from zssr_daemon.protocol.code_hash import code_sha256, hash_of_modules


def test_another_process_finds_the_same() -> None:
    """Supervisor, gateway and node compute it each for itself."""
    code = "from zssr_daemon.protocol.code_hash import code_sha256; print(code_sha256())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == code_sha256()
    assert len(code_sha256()) == 64


def test_modules_count_and_nothing_else(tmp_path: Path) -> None:
    """A changed, moved or new module shows; compiled files and data do not."""
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "a.py").write_text("x = 1")
    (tmp_path / "b.py").write_text("")
    hashes = [hash_of_modules(tmp_path)]
    (tmp_path / "part" / "a.pyc").write_text("compiled")
    assert hash_of_modules(tmp_path) == hashes[0]
    (tmp_path / "part" / "a.py").write_text("x = 2")
    hashes.append(hash_of_modules(tmp_path))
    (tmp_path / "part" / "a.py").rename(tmp_path / "a.py")
    hashes.append(hash_of_modules(tmp_path))
    (tmp_path / "c.py").write_text("")
    hashes.append(hash_of_modules(tmp_path))
    assert len(set(hashes)) == len(hashes)
