"""Ask for known weaknesses of the pinned packages: `make long CHECK=audit`.

pip-audit looks every pin of requirements.hashes up in the Python packaging advisory database. It is
installed into a folder of its own, away from what it looks at. It ends with 0 only if every pin could
be looked up and none has a known weakness; without a network it says that a package was "not found on
PyPI and could not be audited".
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.long.trust_results import ROOT, install

TOOL = "pip-audit==2.10.1"


def main() -> None:
    """Let pip-audit print what it finds, and end as it does."""
    with tempfile.TemporaryDirectory() as folder:
        install(folder, TOOL)
        command = [sys.executable, "-m", "pip_audit", "--requirement", ROOT / "requirements.hashes"]
        command += ["--require-hashes", "--disable-pip", "--strict", "--progress-spinner", "off"]
        sys.exit(subprocess.run(command, env=os.environ | {"PYTHONPATH": folder}).returncode)


if __name__ == "__main__":
    main()
