"""Install into this environment what the arguments name, as ``pip install`` does, in a third of its time.

uv does it, from the indices that pip is told of; where uv cannot, pip does. With ``--pip`` first, pip does
it at once. Only the standard library is needed: ``make venv`` calls this in a new environment.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

UV = "uv==0.13.9"
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
OF_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
}


def as_pip() -> dict[str, str]:
    """Return uv's variables for what pip's files and variables say of indices."""
    told = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=True)
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # the versions of all indices count
    for line in sorted(told.stdout.splitlines(), reverse=True):  # pip's variables (:env:) come last
        name, _, value = line.partition("=")
        variable = OF_UV.get(name.rpartition(".")[2])
        if variable:
            found[variable] = ast.literal_eval(value)
    return found


def main(arguments: list[str]) -> int:
    """Install with uv, else with pip; return the exit status."""
    if arguments[:1] == ["--pip"]:
        return subprocess.run([*PIP, "install", *arguments[1:]]).returncode
    fetched = subprocess.run([*PIP, "install", UV]).returncode == 0
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet"]
    command = [*uv, "--python", sys.executable, *arguments]
    if fetched and subprocess.run(command, env=os.environ | as_pip()).returncode == 0:
        return 0
    print("uv could not install it; pip goes on", file=sys.stderr)
    return main(["--pip", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
