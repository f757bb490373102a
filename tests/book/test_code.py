"""Code that a page shows: short cells of short lines, each a sentence of the method."""

from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell", "exercise"}
LINES, CHARACTERS = 6, 72


def visible_cells(path: Path) -> list[tuple[int, str]]:
    """Code that a reader sees without unfolding it, and how many lines it may have.

    An exercise and its test are as long as they must be, but the test is not cut off at the side.
    """
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    tags = [set(cell.metadata.get("tags", [])) for cell in cells]
    return [
        (100 if "exercise-test" in its else LINES, cell.source)
        for cell, its in zip(cells, tags, strict=True)
        if not FOLDED & its
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_visible_cell_is_short(path):
    long = [
        cell
        for lines, cell in visible_cells(path)
        if len(cell.splitlines()) > lines or max(map(len, cell.splitlines())) > CHARACTERS
    ]
    assert long == [], "fold what only draws or prepares (hide-input), or say less in one cell"
