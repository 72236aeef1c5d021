"""Soak: images dropped at random by all kinds of writers, while everything is killed at random.

python -m stress.soak 15

The real daemon works in a folder of its own. Its supervisor, workers and probe get SIGKILL, the
supervisor SIGTERM too, and is started again each time. Meanwhile it is looked after whether each
picture has its original or an output. At the end `run --once` drains the inbox, and each content
that was dropped must have come to exactly one valid output, which shows that content's number, or
one failed record, with nothing doubled, left over or leaked. Exit code 1: something is wrong.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

from bench.provenance import provenance, save
from stress.soak.chaos import MARK
from stress.soak.soak import Soak


def main() -> None:
    """Soak, print the summary, write to bench/results/."""
    options = parse()
    os.environ[MARK] = uuid.uuid4().hex
    root = Path(tempfile.mkdtemp(prefix="zssr-soak-"))
    report = {**provenance(), "minutes": options.minutes, "seed": options.seed}
    report |= Soak(root, options.seed).run(options.minutes * 60)
    print(json.dumps(report, indent=1))
    if not options.no_write:
        save(report, "soak.json")
    if options.keep or report["wrong"]:
        print(f"kept {root}")
    else:
        shutil.rmtree(root)
    sys.exit(1 if report["wrong"] else 0)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="leave the folder, faults or not")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


if __name__ == "__main__":
    main()
