"""One file for what the long checks found: results/trust.json, shown on a page of the book."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "results" / "trust.json"


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
