"""Which lines of the library the quick tests run: `make coverage`.

pytest-cov and coverage are installed into a folder of their own. memaa_lib/_kernels.py is left out: its
loops are compiled, so no tracer sees them; tests/ hold them against NumPy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import trust_results

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("pytest-cov==7.1.0", "coverage==7.17.3")
OMITTED = "memaa_lib/_kernels.py"


def main() -> None:
    """Run the quick tests and write down the share of lines, in all and of each module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="2", help="processes that run tests")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tools, report = Path(folder, "tools"), Path(folder, "coverage.json")
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--no-deps", "--target", tools, *TOOLS], check=True)
        settings = Path(folder, "coveragerc")
        settings.write_text(f"[run]\nomit = {OMITTED}\nsource = memaa_lib\n", "utf-8")
        environment = os.environ | {"PYTHONPATH": str(tools)}
        environment["COVERAGE_FILE"] = str(Path(folder, "data"))
        command = [sys.executable, "-m", "pytest", "-q", "-n", options.jobs, "-m", "not slow"]
        command += ["-p", "pytest_cov", "--cov=memaa_lib", f"--cov-config={settings}"]
        command += [f"--cov-report=json:{report}"]
        done = subprocess.run(command, cwd=ROOT, env=environment)
        found = json.loads(report.read_text("utf-8"))
    shares = {
        name.removeprefix("memaa_lib/"): round(file["summary"]["percent_covered"], 1)
        for name, file in found["files"].items()
    }
    total = found["totals"]
    lowest = dict(sorted(shares.items(), key=lambda pair: pair[1])[:8])
    for name, share in sorted(shares.items(), key=lambda pair: pair[1]):
        lines = found["files"][f"memaa_lib/{name}"]["missing_lines"]
        print(f"{share:6.1f} %  {name}  {lines[:30]}")
    print(f"{total['percent_covered']:.1f} % of {total['num_statements']} statements")
    result = {
        "percent": round(total["percent_covered"], 1),
        "statements": total["num_statements"],
        "lowest": lowest,
    }
    trust_results.write("coverage", result)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
