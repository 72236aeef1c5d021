"""Site: a daemon and its page in a folder of their own, shared by the scenarios."""

import shutil
import signal
from pathlib import Path

from tests.parts.daemon_process import DATA, QUICK_ZSSR, DaemonProcess, command, prepare, wait_until
from tests.parts.page_process import WEB_SETTINGS, PageProcess, free_port

BUTTERFLY = DATA / "butterfly_lr.png"

MAX_UPLOAD_BYTES = 3_000_000


class Site:
    """Both processes; each can be killed and started again."""

    def __init__(self, root: Path, zssr: str = QUICK_ZSSR) -> None:
        """zssr: the table of that name."""
        self.root = root
        self.port = free_port()
        web = WEB_SETTINGS.format(port=self.port, max_upload_bytes=MAX_UPLOAD_BYTES)
        self.inbox = prepare(root, zssr, web)
        self.daemon = DaemonProcess(root)
        wait_until((root / "state" / "web-token").exists, "the token")
        self.page = PageProcess(root, self.port)

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """What `web link` prints last: the address that logs in."""
        done = command(self.root, "web", "link", "--settings", "settings.toml")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    def close(self) -> None:
        """End both."""
        self.page.end(signal.SIGTERM)
        self.daemon.send(signal.SIGTERM)
        assert self.daemon.exit_code() == 0
        self.daemon.__exit__(None, None, None)

    def kill_daemon(self) -> None:
        """Kill the daemon, as a power cut would."""
        self.daemon.send(signal.SIGKILL)
        self.daemon.exit_code()
        self.daemon.__exit__(None, None, None)

    def start_daemon(self) -> None:
        """Start the daemon again."""
        self.daemon = DaemonProcess(self.root)

    def kill_page(self) -> None:
        """Kill the page, as a power cut would."""
        self.page.end(signal.SIGKILL)

    def start_page(self) -> None:
        """Start the page again."""
        self.page = PageProcess(self.root, self.port)

    def put(self, name: str, num_epochs: int) -> None:
        """Put a picture into the inbox whose fit takes so many iterations, whatever is chosen."""
        folder = self.inbox / "long"
        folder.mkdir(exist_ok=True)
        (folder / f"{name.partition('.')[0]}.toml").write_text(
            f"[zssr]\nnum_epochs = {num_epochs}\n"
        )
        shutil.copy(BUTTERFLY, folder / f".{name}")
        (folder / f".{name}").rename(folder / name)
