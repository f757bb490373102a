"""Which lines of the library the tests run, all of them and the quick ones: half an hour.

pytest-cov and coverage are installed into a folder of their own. Commands that tests start are measured
too. Left out are _support/kernels.py, whose loops are compiled, so that no tracer sees them (tests/
hold them against NumPy), and the slow tests that kill and starve commands.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.long import trust_results

ROOT = trust_results.ROOT
TOOLS = ("pytest-cov==7.1.0", "coverage==7.17.3")
SETTINGS = """[run]
omit = */memaa_lib/_support/kernels.py
source = memaa_lib, memaa_book
parallel = true
data_file = {folder}/data
"""
QUICK = ("-m", "not slow")
SLOW = ("-m", "slow", "--ignore=tests/long", "--cov-append")


def run_tests(folder: Path, chosen: list[str]) -> tuple[int, dict[str, Any]]:
    """Run some tests; return pytest's exit code and what they and those before them ran."""
    report, settings = folder / "coverage.json", folder / "coveragerc"
    places = [str(folder / "tools"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    environment["COVERAGE_PROCESS_START"] = str(settings)  # for commands that tests start
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
    command += ["-p", "pytest_cov", "--cov=memaa_lib", "--cov=memaa_book"]
    command += [f"--cov-config={settings}", f"--cov-report=json:{report}", *chosen]
    code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return code, found


def share(part: dict[str, Any], key: str = "summary") -> float:
    """Return the share of lines in percent."""
    return round(part[key]["percent_covered"], 1)


def main() -> None:
    """Run the tests and write down the share of lines, in all and of the modules with the least."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tests", nargs="*", help="only these; then nothing is written down")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        trust_results.install(folder / "tools", "--no-deps", *TOOLS)
        start = "import coverage\n\ncoverage.process_startup()\n"
        (folder / "tools" / "sitecustomize.py").write_text(start, "utf-8")
        (folder / "coveragerc").write_text(SETTINGS.format(folder=folder), "utf-8")
        quick_code, quick = run_tests(folder, [*QUICK, *options.tests])
        slow_code, found = run_tests(folder, [*SLOW, *options.tests])
    for name, file in sorted(found["files"].items(), key=lambda pair: share(pair[1])):
        print(f"{share(file):6.1f} %  {name}  {file['missing_lines'][:30]}")
    quick_shares = {
        name.removeprefix("memaa_lib/"): share(file) for name, file in quick["files"].items()
    }
    result = {
        "percent": share(quick, "totals"),
        "percent_of_all_tests": share(found, "totals"),
        "statements": found["totals"]["num_statements"],
        "lowest": dict(sorted(quick_shares.items(), key=lambda pair: pair[1])[:8]),
    }
    print(
        f"{result['percent_of_all_tests']} % of {result['statements']} statements; the quick tests "
        f"alone {result['percent']} %"
    )
    if not options.tests:
        trust_results.write("coverage", result)
    sys.exit(1 if quick_code or slow_code not in (0, 5) else 0)  # 5: no slow test was among them


if __name__ == "__main__":
    main()
