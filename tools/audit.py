"""Ask for known weaknesses of the pinned packages: `make audit`.

pip-audit looks every pin of requirements.hashes up in the Python packaging advisory database. It is
installed into a folder of its own, away from what it looks at. Where the database cannot be reached,
that is said, and nothing is claimed.

Exit codes: 0 no known weakness, 1 at least one, 3 not audited. (`make` itself ends with 2 for 1 and 3.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = "pip-audit==2.10.1"


def main() -> None:
    """Print what was found; exit code 1 for a known weakness, 3 where nothing could be asked."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "-qqq", "--disable-pip-version-check"]
        if subprocess.run([*pip, "install", "--target", folder, TOOL]).returncode:
            print(f"NOT AUDITED: {TOOL} could not be installed (no network?)")
            sys.exit(3)
        command = [sys.executable, "-m", "pip_audit", "--requirement", ROOT / "requirements.hashes"]
        command += ["--require-hashes", "--disable-pip", "--format", "json"]
        command += ["--progress-spinner", "off"]
        environment = os.environ | {"PYTHONPATH": folder}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"NOT AUDITED: the advisory database is out of reach\n{done.stderr[-300:]}")
        sys.exit(3)
    skipped = [package for package in packages if "skip_reason" in package]
    weak = [package for package in packages if package.get("vulns")]
    for package in weak:
        for weakness in package["vulns"]:
            mends = ", ".join(weakness.get("fix_versions", [])) or "none yet"
            print(f"{package['name']} {package['version']}: {weakness['id']}, mended in {mends}")
    if len(skipped) == len(packages):
        reason = f" ({skipped[0]['name']}: {skipped[0]['skip_reason']})" if skipped else ""
        print(
            f"NOT AUDITED: the advisory database is out of reach; run this with a network{reason}"
        )
        sys.exit(3)
    print(f"{len(packages) - len(skipped)} packages looked up, {len(weak)} with known weaknesses")
    for package in skipped:
        print(f"not looked up: {package['name']} ({package['skip_reason']})")
    sys.exit(1 if weak else 0)


if __name__ == "__main__":
    main()
