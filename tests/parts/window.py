"""Window: a browser's window on the real page, in which no error may ever be told."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, expect

#: What browsers write of every answer that is no success, and of a server that is away. It is told
#: of requests, not of the page, so a scenario that has one names it.
REFUSED = r"Failed to load resource: the server responded with a status of {status} .*"
AWAY = (
    r"Failed to load resource: net::ERR_(CONNECTION_\w+|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)"
)

#: Impacts of axe-core that no view may have.
_SERIOUS = {"serious", "critical"}


class Window:
    """One window with its own session; `close` fails if its console has told of an error."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self._context = browser.new_context(base_url=address, **options)
        self.page = self._context.new_page()
        self._devtools = self._context.new_cdp_session(self.page)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self._problems.append(str(error)))
        self._problems: list[str] = []
        self._allowed: list[str] = []

    def allow(self, *patterns: str) -> None:
        """Name what this scenario makes the console tell."""
        self._allowed += patterns

    def close(self) -> None:
        """Close the window, and look at what its console has told."""
        self._context.close()
        found = [
            problem
            for problem in self._problems
            if not any(re.fullmatch(pattern, problem) for pattern in self._allowed)
        ]
        assert not found, "\n".join(found)

    def row(self, name: str) -> Locator:
        """Return the row of a picture."""
        return self.page.locator(f'[data-name="{name}"]')

    def expect_state(self, name: str, state: str) -> None:
        """Wait until the one row of a picture has a state."""
        expect(self.row(name)).to_have_attribute("data-state", state)

    def drop(self, *paths: Path) -> None:
        """Drop files and folders of the disk, as from a file manager."""
        box = self.page.locator("#drop").bounding_box()
        assert box is not None
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 10}
        for kind in ("dragEnter", "dragOver", "drop"):
            self._devtools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})

    def slow_down(self, bytes_per_s: int) -> None:
        """Let uploads take their time from now on; 0: as fast as they can."""
        conditions: dict[str, float | bool] = {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": bytes_per_s or -1,
        }
        self._devtools.send("Network.emulateNetworkConditions", conditions)

    def expect_accessible(self) -> None:
        """Have axe-core look at what is shown now; it may find nothing serious."""
        found: Sequence[dict[str, Any]] = Axe().run(self.page).response["violations"]
        serious = [each for each in found if each["impact"] in _SERIOUS]
        assert not serious, [(each["id"], each["nodes"][0]["html"]) for each in serious]

    def expect_fits(self) -> None:
        """Look that nothing is wider than the window."""
        widths = "[document.documentElement.scrollWidth, window.innerWidth]"
        inside, outside = self.page.evaluate(widths)
        assert inside <= outside, f"{inside} pixels in {outside}"

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._problems.append(message.text)
