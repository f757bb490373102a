"""Code that a page shows: short cells of short lines, each a sentence of the method."""

import itertools
import re
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_with_exercises_asks_for_a_prediction_before_a_cell_runs(path):
    cells = jupytext.read(path).cells
    exercises = [cell.source for cell in cells if "```{exercise}" in cell.source]
    asked = [
        (before.source, set(cell.metadata["tags"]), cell.source)
        for before, cell in itertools.pairwise(cells)
        if "predict" in cell.metadata.get("tags", [])
    ]
    assert bool(asked) == bool(exercises)
    for question, tags, code in asked:
        assert "**Predict, then run.**" in question
        assert "hide-output" in tags, "the answer is not to be seen before the prediction"
        assert re.match(r"predicted = None(, None)*  # ", code)
