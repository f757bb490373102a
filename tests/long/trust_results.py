"""What the long checks share: results/trust.json, shown on a page of the book, and further tools."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "results" / "trust.json"


def write(name: str, result: Any) -> None:
    """Replace one entry; the others stay."""
    content = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    content[name] = result
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(dict(sorted(content.items())), indent=1) + "\n", "utf-8")


def read(name: str, default: Any) -> Any:
    """Return one entry."""
    content = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    return content.get(name, default)


def install(folder: Path | str, *pins: str) -> None:
    """Install tools into a folder of their own, where they disturb no version of ours."""
    pip = [sys.executable, "-m", "pip", "-qqq", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--target", folder, *pins], check=True)
