"""What a page was made from: its code, the library, and of the drawing functions those that it uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import memaa_lib
from memaa_book import pages
from memaa_lib._support.cache import fingerprint

LIBRARY = Path(memaa_lib.__file__).parent
FIGURES = "figures"
_WORD = re.compile(r"\w+")


def library_fingerprint() -> str:
    """Return a digest of what is computed with: library and facts, neither what draws nor what makes books.

    Facts are the data manifests and the reference runs, which pages read as they read the library.
    """
    files = [
        path
        for path in sorted(LIBRARY.rglob("*.py"))
        if path.name != "cli.py" and path.parent != LIBRARY / FIGURES
    ]
    files += sorted((pages.ROOT / "data_manifests").glob("*.yaml"))
    files += sorted((pages.ROOT / "results").rglob("*.json"))
    return fingerprint(*(f"{path.name}".encode() + path.read_bytes() for path in files))


def code_fingerprint(source: Path) -> str:
    """Return a digest of a notebook's code and of the drawing functions that it uses; prose is left out."""
    notebook = pages.read_source(source)
    cells = [(cell.source, cell.metadata) for cell in notebook.cells if cell.cell_type == "code"]
    used = used_parts(text for text, _ in cells)
    return fingerprint(notebook.metadata.get("memaa"), cells, used)


def used_parts(texts: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return what code uses of :mod:`memaa_lib.figures`, what that uses in turn, and all imports."""
    parts = _parts(tuple(sorted((LIBRARY / FIGURES).glob("*.py"))))
    used: set[str] = set()
    new = {name for text in texts for name in _WORD.findall(text)} & set(parts)
    while new:
        used |= new
        new = {name for one in new for part in parts[one] for name in _names(part)}
        new = new & set(parts) - used
    return sorted((name, parts[name]) for name in {"", *used})


def _names(code: str) -> set[str]:
    """Return the names that code uses: those of variables, functions and attributes."""
    found = (getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(ast.parse(code)))
    return set(found) - {""}


@lru_cache(maxsize=1)
def _parts(files: tuple[Path, ...]) -> dict[str, list[str]]:
    """Return the statements of modules by the name that they give; under an empty name all others."""
    parts: dict[str, list[str]] = {"": []}
    for file in files:
        for statement in ast.parse(file.read_text("utf-8")).body:
            targets = getattr(statement, "targets", [getattr(statement, "target", None)])
            named = [target.id for target in targets if isinstance(target, ast.Name)]
            for name in named or [getattr(statement, "name", "")]:
                parts.setdefault(name, []).append(ast.unparse(statement))
    return parts
