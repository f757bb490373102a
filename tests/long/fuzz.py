"""Try damaged files on every reader for a while: `python -m tests.long.fuzz --seconds 600`.

The readers and what is done to the files stand in tests/bad_input/test_fuzz.py; hypothesis shrinks what
fails to a small file and prints it. The seeds differ from run to run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.long import trust_results

ROOT = trust_results.ROOT


def main() -> None:
    """Run rounds until the time is up; stop at the first failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument(
        "--examples", type=int, default=500, help="damaged files a reader and round"
    )
    options = parser.parse_args()
    started = time.monotonic()
    tried: Counter[str] = Counter()
    while time.monotonic() - started < options.seconds:
        with tempfile.TemporaryDirectory() as report:
            environment = os.environ | {
                "MEMAA_FUZZ_EXAMPLES": str(options.examples),
                "MEMAA_FUZZ_REPORT": report,
            }
            command = [sys.executable, "-m", "pytest", "-q", "-x", "tests/bad_input/test_fuzz.py"]
            done = subprocess.run(command, cwd=ROOT, env=environment)
            for file in Path(report).glob("*.json"):
                found = json.loads(file.read_text("utf-8"))
                tried[found["kind"]] += found["n"]
            if done.returncode:
                sys.exit(1)
        print(f"{sum(tried.values())} damaged files, no crash", flush=True)
    trust_results.write(
        "fuzz", {"readers": dict(sorted(tried.items())), "total": sum(tried.values())}
    )


if __name__ == "__main__":
    main()
