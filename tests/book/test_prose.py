"""The prose of the pages: no result written by hand, one sentence a line."""

import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
PROSE = sorted((ROOT / "book").glob("*.md"))

# Numbers with a decimal point, or with a unit, that may stand in the prose of a page, and why. They are
# constants of a method, of the experiment that the page sets up, or printed in a publication. What a
# page computes is printed by its cells.
ALLOWED = {
    "00": {"0.5": "the paper's threshold"},
    "01": {
        "6.3": "arithmetic from the numbers of the same sentence",
        "0.4": "the page's own movement, px",
        "0.35": "duration of the page's movement, s",
        "64": "the page's stripes, px",
    },
    "02": {
        "20": "20 dB a factor of ten, by definition",
        "6": "6 dB a factor of two, by definition",
        "0": "0 dB: no difference",
        "0.2": "duration of the page's movement, s",
        "1": "the page's movement, px",
        "0.3": "the page's movement, px",
    },
    "03": {
        "0.5": "the paper's threshold; chance of a ranking",
        "140": "size of the gray frames",
        "170": "size of the gray frames",
        "30": "half of the window",
        "0.399": "the largest value of the normal density",
    },
    "04": {
        "38.5": "framing of the cropped releases",
        "56": "framing of the cropped releases",
        "340": "frame of CASME II, px",
    },
    "05": {"0.5": "the library's band, Hz"},
    "06": {"0.9": "the paper's momentum"},
    "07": {
        "95": "level of the intervals",
        "0.06": "a cited publication",
        "0.14": "a cited publication",
        "0.7621": "printed in Table 3",
        "0.7451": "printed in Table 3",
        "0.7452": "arithmetic on the paper's Table 4, computed on page 09",
        "0.47": "7 of 15, in the same sentence",
    },
    "08": {"0.6506": "printed in Table 7", "0.6595": "printed in Table 7"},
    "10": {"95": "level of the intervals"},
    "09": {
        "95": "level of the intervals",
        "22.1": "printed in the paper's introduction, per cent",
        "0.5": "the paper's threshold; the convention for a micro-expression, s",
        ".745152": "arithmetic on the paper's Table 4, computed above it",
    },
    "16": {
        "0.4": "a published example's setting; the page's own movement, px",
        "0.05": "a published example's setting",
        "0.5": "the library's band, Hz",
        "0.25": "that band as the published program takes it, Hz",
        "0.35": "duration of the page's movement, s",
        "0.7": "the page's example of a gain",
        "8": "1 + 10 x 0.7; the page's wrinkle, px",
        "11": "1 + 10",
        "64": "the page's stripes, px",
    },
    "18": {
        "2": "a cited publication",
        "54": "a cited publication",
        "47": "a cited publication",
        "61": "a cited publication",
        "34.7": "a cited publication",
        "0.8": "a cited publication",
    },
}
PRINTED = re.compile(r"^\.\d{2,4}$|^7[14]\.\d+$")  # how the audit quotes scores: .7104, 71.04 %
AUDIT = "09"  # the page on numbers in print
UNITS = "%|per cent|dB|px|gray levels|times"
DIGITS = re.compile(rf"(?<![\w.])(\d*\.\d+|\d+(?= ?(?:{UNITS})))(?![.\w]*\d)")
SECTION = re.compile(r"(?:Sections?|Secs?\.) [\d.]+(?:(?:,| to| and) [\d.]+)*")
CODE_FENCES = {
    "bash",
    "python",
    "toml",
    "text",
    "{code-block}",
    "{literalinclude}",
    "{bibliography}",
}
SENTENCE_END = re.compile(
    r"(?<!\bEq)(?<!\bEqs)(?<!\bFig)(?<!\bSec)(?<!\bal)(?<!\b[A-Z])(?<!\d)[.?!][\"”)]? +[A-Z]"
)


def paragraphs(path: Path, *, without: tuple[str, ...] = ()) -> list[str]:
    """Lines of prose: no code, no math, no roles; directives named in ``without`` are left out."""
    if path.parent.name == "notebooks":
        cells = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown"]
    else:
        cells = [path.read_text("utf-8")]
    lines = []
    for text in cells:
        text = re.sub(r"\$\$.*?\$\$(?: *\([\w-]+\))?", "", text, flags=re.DOTALL)
        fence = ""
        for line in text.split("\n"):
            opened = re.match(r"(`{3,}|:{3,})(\{?[\w:-]*\}?)", line)
            if fence:
                fence = "" if line.strip() == fence else fence
            elif opened and (opened[2] in CODE_FENCES or opened[2].strip("{}") in without):
                fence = opened[1]
            elif not re.match(r"[:|`(]", line):
                lines.append(re.sub(r"\{[\w:]+\}`[^`]*`|`[^`]*`|\$[^$]*\$|https?://\S+", "X", line))
    return lines


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_result_is_written_by_hand(path):
    number = path.stem[:2]
    allowed = ALLOWED.get(number, {})
    found = []
    for line in paragraphs(path, without=("exercise", "solution", "quiz")):
        for digits in DIGITS.findall(SECTION.sub("", line)):
            quoted = number == AUDIT and PRINTED.match(digits)
            if digits not in allowed and not quoted:
                found.append(f"{digits}: {line[:90]}")
    assert found == [], "print it in a cell, or say in ALLOWED why it is a constant"


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PROSE], ids=lambda path: path.stem)
def test_one_sentence_a_line(path):
    """Lists, tables, glossary entries and the audit's verdicts may hold more."""
    found = [
        line
        for line in paragraphs(path)
        if not re.match(r"\s*(?:[*-]|\d+\.)\s|  |\*Verdict|\*\*|>", line)
        and SENTENCE_END.search(line)
    ]
    assert found == []
