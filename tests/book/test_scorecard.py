"""The scorecard: counts that agree with its rows, links that lead somewhere; and the reading times."""

import re
from collections import Counter
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*(ROOT / "notebooks").glob("*.md"), *(ROOT / "book").glob("*.md")]
SCORECARD = (ROOT / "book" / "scorecard.md").read_text("utf-8")
PATHS = (ROOT / "book" / "how_to_read.md").read_text("utf-8")
VERDICTS = {"holds": "success", "part": "warning", "not": "danger", "open": "secondary"}
WORDS = {
    "holds": "success",
    "holds in part": "warning",
    "does not hold": "danger",
    "open": "secondary",
}
CLAIM = re.compile(
    r"^```\{admonition\} (.+)\n:class: memaa-claim\n(.+)\n(.+)\n\n((?:.+\n+)+?)```$", re.M
)
LINK = re.compile(r"\{(?:ref|eq|numref|prf:ref)\}`(?:[^`<]*<)?([\w-]+)>?`")
LABEL = re.compile(
    r"^\(([\w-]+)\)=$|^:(?:name|label): ([\w-]+)$|^ +name: ([\w-]+)$|^\$\$ \(([\w-]+)\)$", re.M
)


def claims() -> list[tuple[str, ...]]:
    """Title, name, verdict with section, and evidence of every row."""
    return CLAIM.findall(SCORECARD)


def labels() -> set[str]:
    return {
        name
        for path in SOURCES
        for found in LABEL.findall(path.read_text("utf-8"))
        for name in found
        if name
    }


def test_every_row_has_a_name_a_verdict_in_words_and_color_and_a_section():
    rows = claims()
    assert len(rows) == SCORECARD.count("memaa-claim") > 30
    names = [re.fullmatch(r":name: (claim-[\w-]+)", name)[1] for _, name, *_ in rows]
    assert len(set(names)) == len(names)
    for _, _, verdict, _ in rows:
        color, words = re.match(r"\{bdg-(\w+)\}`([\w ]+)` Sections? \d", verdict).groups()
        assert WORDS[words] == color


def test_the_counts_at_the_top_are_those_of_the_rows():
    stated = dict(re.findall(r'value="(\w+)"[^>]*> <b>(\d+)</b>', SCORECARD))
    counted = Counter(re.match(r"\{bdg-(\w+)\}", verdict)[1] for _, _, verdict, _ in claims())
    wanted = {name: counted[color] for name, color in VERDICTS.items()}
    assert {name: int(count) for name, count in stated.items()} == {
        **wanted,
        "all": len(claims()),
    }


def test_every_link_goes_to_a_label_that_exists():
    links = {link for *_, evidence in claims() for link in LINK.findall(evidence)}
    assert len(links) > 30
    assert sorted(links - labels()) == []


def stated_minutes() -> dict[str, int]:
    """What the box that opens a page says, by the page's label."""
    found = {}
    for path in (ROOT / "notebooks").glob("*.md"):
        text = path.read_text("utf-8")
        label = re.search(r"^\((page-[\w-]+)\)=$", text, re.M)
        minutes = re.search(r"^```\{admonition\} About (\d+) minutes$", text, re.M)
        if label and minutes:
            found[label[1]] = int(minutes[1])
    return found


def test_the_reading_paths_take_as_long_as_their_pages_say():
    rows = re.findall(r"^\| \{ref\}`(page-[\w-]+)` \| (\d+) \|", PATHS, re.M)
    assert len(rows) > 5
    stated = stated_minutes()
    assert {page: int(minutes) for page, minutes in rows if page in stated} == {
        page: stated[page] for page, _ in rows if page in stated
    }


@pytest.mark.parametrize("page", ["page-magnification", "page-audit", "page-course"])
def test_the_front_page_leads_to_what_it_names(page):
    cells = jupytext.read(ROOT / "notebooks" / "00_front.md").cells
    assert any(page in cell.source for cell in cells if cell.cell_type == "markdown")
