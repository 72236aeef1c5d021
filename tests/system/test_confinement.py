"""Confinement: a process that has lowered its limits can neither exceed nor raise them."""

import subprocess
import sys


def confined(code: str) -> str:
    """Return what a process prints that confines itself to 100 MB more, and then runs `code`."""
    start = (
        "import os, resource\n"
        "from zssr_daemon.system.confinement import confine\n"
        "confine(100 << 20, cpu_s=50, max_written_bytes=1000)\n"
    )
    command = [sys.executable, "-c", start + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_limits_are_set_for_good() -> None:
    """Soft and hard limit alike, so that they cannot be raised again."""
    code = "print(*(resource.getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in '{}'.split()))"
    found = confined(code.format("NOFILE CORE CPU FSIZE"))
    assert found == "(64, 64) (0, 0) (50, 50) (1000, 1000)"


def test_memory_ends_where_it_was_said() -> None:
    """Much less than the room is given, more is not."""
    attempt = "try: b = bytearray({} << 20); print('given')\nexcept MemoryError: print('refused')"
    assert confined(attempt.format(20)) == "given"
    assert confined(attempt.format(150)) == "refused"


def test_files_do_not_grow_beyond_what_was_said() -> None:
    """Memory that is written like a file counts too."""
    code = (
        "fd = os.memfd_create('test')\n"
        "os.write(fd, bytes(1000))\n"
        "try: os.write(fd, b'x')\n"
        "except OSError as error: print(error.strerror)"
    )
    assert confined(code) == "File too large"
