"""A real probe process and our end of its pipe."""

import multiprocessing
from pathlib import Path

from tests.parts.picture_files import LIMITS
from zssr_daemon.inbox.probe import ProbeReady, ProbeRequest, ProbeResult, probe_main

ANSWER_S = 60.0


class Child:
    """A running probe and our end of its pipe."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=probe_main, args=(theirs, LIMITS))
        self.process.start()
        theirs.close()
        assert self.pipe.poll(ANSWER_S)
        assert self.pipe.recv() == ProbeReady()

    def ask(self, root: Path, rel_path: str) -> ProbeResult:
        """Send one request and wait for its answer."""
        request = ProbeRequest(root=str(root), rel_path=rel_path)
        self.pipe.send(request)
        assert self.pipe.poll(ANSWER_S)
        result = self.pipe.recv()
        assert isinstance(result, ProbeResult)
        assert result.request == request
        return result
