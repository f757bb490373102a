"""Code that a page shows: short cells of short lines, each a sentence of the method."""

from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell", "exercise", "exercise-test"}
LINES, CHARACTERS = 6, 72


def visible_cells(path: Path) -> list[str]:
    """Code cells that a reader sees without unfolding them; an exercise is as long as it must be."""
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    return [cell.source for cell in cells if not FOLDED & set(cell.metadata.get("tags", []))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_visible_cell_is_short(path):
    long = [
        cell
        for cell in visible_cells(path)
        if len(cell.splitlines()) > LINES or max(map(len, cell.splitlines())) > CHARACTERS
    ]
    assert long == [], "fold what only draws or prepares (hide-input), or say less in one cell"
