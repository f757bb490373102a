"""The prose of the pages: no result by hand, one sentence a line, plain words, linked terms."""

import ast
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


# ------------------------------------------------------------------ plain current English
# Turns that are old, stiff or translated, and what to write instead. A quotation may have them.
WEEDS = {
    r"\banew\b": "again",
    r"\bmend(?:s|ed|ing)?\b": "fix, repair",
    r"\bbesides\b": "also, too",
    r"\bfor ever\b": "always",
    r"\bmind that\b": "note that, or nothing",
    r"\bwhoever\b": "if you, anyone who",
    r"\btold apart\b": "distinguished, or say what the interval contains",
    r"\b(?:can|could|cannot) be told\b(?! to)": "the interval contains zero; no clear difference",
    r"\b(?:can|could|cannot) be had\b": "is available",
    r"\bis to be (?:seen|had|found)\b": "we see",
    r"\bbut for\b(?! (?:one|most|its|each|the)\b)": "except for, apart from",
    r"\b(?:hold|held|holds) against\b": "compare with",
    r"\bstands? (?:in|at|on|beside|there|here|twice|open)\b(?! for)": "is",
    r"\bat hand\b": "that we have, already made",
    r"\bwholly\b": "completely",
    r"\bforerunner": "predecessor",
    r"\bin place of\b": "instead of",
    r"\bby lot\b": "at random",
    r"\bgive or take\b": "about",
    r"\bby (?:its|their) word\b": "literally",
    r"\bfor lack of\b": "because there is no",
    r"\bSo it is for\b": "The same is true for",
    r"[,;] for then\b": "because then",
    r"\bthe very \w+ (?:of|by|with|from)\b": "the same, or nothing",
    r"\bhas? the mean zero\b": "has mean zero",
    r"\b(?:upon|whence|hitherto|thereby|wherein|lest|amongst|albeit|shall not)\b": "a current word",
}
PLAIN = [*NOTEBOOKS, *PROSE]


def said_by_code(path: Path) -> list[str]:
    """Strings of more than one word in the code of a page: captions, alternative texts, printed lines."""
    if path.parent.name != "notebooks":
        return []
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    trees = [ast.parse(c.source) for c in cells if "exercise" not in c.metadata.get("tags", [])]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [node.value for node in nodes if isinstance(node.value, str) and " " in node.value]


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_turns_that_were_weeded_out_do_not_come_back(path):
    said = [*paragraphs(path), *said_by_code(path)]
    said = [re.sub(r'"[^"]*"', "X", line) for line in said]  # what others wrote stays as it is
    found = [
        f"{found[0]!r} ({better}): {line[:90]}"
        for line in said
        for turn, better in WEEDS.items()
        if (found := re.search(turn, line, re.I))
    ]
    assert found == []


# ------------------------------------------------------------------ words of the glossary
GLOSSARY = (ROOT / "book" / "glossary.md").read_text("utf-8")
# What is not running text: front matter, code, exercises, equations, headings, tables, roles, quotations.
NOT_RUNNING = [
    r"\A---\n.*?\n---\n",
    r"^```\{(?:code-cell|exercise|solution|quiz|list-table|table)\}.*?^```$",
    r"^```\w+\n.*?^```$",
    r"\$\$.*?\$\$",
    r"^(?:#|\||[`:]{3,}|\([\w-]+\)=| *:[\w-]+:)[^\n]*$",
    r"\$[^$\n]*\$",
    r"\{[\w:]+\}`[^`]*`|`[^`\n]*`",
    r'"[^"\n]*"',
]
EVERYDAY = {  # words of the glossary that a page uses in another sense
    ("04", "offset"): "an error that is the same in all frames",
    ("12", "leak"): "a verb",
}


def terms() -> list[list[str]]:
    """The names of each entry."""
    body = re.search(r"```\{glossary\}\n(.*?)\n```", GLOSSARY, re.DOTALL)[1]
    return [re.findall(r"^\S.*", entry, re.M) for entry in body.split("\n\n")]


def running_text(page: str) -> str:
    """The page with everything else blanked out, so that places stay the same."""
    for other in NOT_RUNNING:
        page = re.sub(other, lambda m: re.sub(r"\S", " ", m[0]), page, flags=re.M | re.DOTALL)
    return page


LINKED = [*NOTEBOOKS, ROOT / "book" / "related_work.md"]


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.stem)
def test_a_word_of_the_glossary_is_linked_where_it_first_appears(path):
    page = path.read_text("utf-8")
    running = running_text(page)
    links = re.finditer(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", page)
    linked = [(link.start(), link[1].strip()) for link in links]
    found = []
    for names in terms():
        words = "|".join(
            re.escape(name) for name in names if name != "alpha"
        )  # a symbol in the text
        plain = re.search(rf"(?<![\w-])(?:{words})s?(?!\w|-TOP)", running, re.I)
        first = min((place for place, name in linked if name in names), default=len(page))
        known = (path.stem[:2], names[0]) in EVERYDAY
        if plain and plain.start() < first and not known:
            found.append(page[plain.start() - 30 : plain.end() + 30])
    assert found == []
