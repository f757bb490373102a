"""Resolve the versions in pyproject.toml: requirements.lock, requirements.hashes, environment.yml.

``make lock`` runs this. requirements.lock pins every package of every extra, also the ones that only
others ask for. requirements.hashes holds the same versions with the sha256 of every file that the
package index has of them, for Linux, macOS and Windows and each Python from 3.11 on: ``pip install
--require-hashes`` then installs those files or none. environment.yml repeats the direct dependencies
for conda and Binder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from install import UV

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "book,teach,test,cluster,bench"
OLDEST_PYTHON = "3.11.5"  # as in pyproject.toml
# conda-forge has CPU builds of these, which PyPI has not; the values are conda-forge's names
FROM_CONDA = {"torch": "pytorch-cpu", "torchvision": "torchvision"}


def resolve() -> dict[str, str]:
    """Ask pip what it would install, without installing it."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--report", "-", f"{ROOT}[{EXTRAS}]"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    found = {
        item["metadata"]["name"]: item["metadata"]["version"].split("+")[0]
        for item in report["install"]
        if item["metadata"]["name"] != "memaa-companion"
    }
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def direct_dependencies() -> list[str]:
    """Return the pins of pyproject.toml that a reader of the book needs: all but tests and benches."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["book"]]


def environment(pins: dict[str, str]) -> str:
    """Return the text of environment.yml."""
    lines = [
        "# Written by `make lock`. For conda and Binder: CPU builds of PyTorch, the rest through pip.",
        "name: memaa",
        "channels: [conda-forge]",
        "dependencies:",
        "  - python=3.11",
        "  - pip",
    ]
    lines += [f"  - {conda}={pins[name]}" for name, conda in FROM_CONDA.items()]
    lines += ["  - pip:"]
    names = [pin.split("==")[0] for pin in direct_dependencies()]
    lines += [f"      - {name}=={pins[name]}" for name in names if name not in FROM_CONDA]
    lines += ["      - --editable ."]
    return "\n".join(lines) + "\n"


def hashed(pins: dict[str, str]) -> str:
    """Return the pins with markers and hashes: uv resolves for all platforms at once and asks for hashes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--target", folder / "uv", UV], check=True)
        shutil.copy(ROOT / "pyproject.toml", folder)
        lines = "".join(f"{name}=={version}\n" for name, version in pins.items())
        (folder / "pins.txt").write_text(lines, "utf-8")
        command = [folder / "uv" / "bin" / "uv", "pip", "compile", "pyproject.toml"]
        command += ["--all-extras", "--generate-hashes", "--universal", "--no-header"]
        command += ["--no-annotate", "--python-version", OLDEST_PYTHON, "--constraint", "pins.txt"]
        command += ["--no-emit-package", "memaa-companion", "--quiet"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    """Write the three files."""
    pins = resolve()
    head = "# Written by `make lock` from pyproject.toml; every package of every extra. Used as constraints.\n"
    body = "".join(f"{name}=={version}\n" for name, version in pins.items())
    (ROOT / "requirements.lock").write_text(head + body, "utf-8")
    (ROOT / "environment.yml").write_text(environment(pins), "utf-8")
    head = (
        "# Written by `make lock`: requirements.lock with platforms and the hashes of the files.\n"
    )
    (ROOT / "requirements.hashes").write_text(head + hashed(pins), "utf-8")
    print(f"requirements.lock: {len(pins)} packages; requirements.hashes, environment.yml written")


if __name__ == "__main__":
    main()
