"""MyST as plain Markdown, for Jupyter, Colab and whoever else reads a notebook outside the book."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pybtex.database import parse_file

from memaa_book import pages

ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")
NAMED = re.compile(r"(.*?)\s*<([^>]+)>", re.DOTALL)  # what is to be read <label>
LABEL = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)
HEADING = re.compile(r"^\(([\w-]+)\)=\n+#+ (.+)$", re.MULTILINE)
EQUATION = re.compile(r"\$\$((?:(?!\$\$).)+)\$\$ *\(([\w-]+)\)", re.DOTALL)
# a directive ends with a fence as long as the one that opened it
GRID = re.compile(
    r"^:{3,}\{(grid|grid-item|grid-item-card)\} *(.*)\n(?::[\w-]+:.*\n)*", re.MULTILINE
)
FENCE = re.compile(r"^:{3,}\n?", re.MULTILINE)
DIRECTIVE = re.compile(r"^(`{3,}|:{3,})\{([\w:-]+)\} *(.*?)\n(.*?)^\1 *$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r":([\w-]+): *(.*)\n+")
ANSWER = re.compile(r"^\* \(([x ]?)\) (.*?)\n\n(.*?)(?=^\* \(|\Z)", re.MULTILINE | re.DOTALL)
WORDS = {"exercise": "Exercise", "solution": "Solution", "prf:theorem": "Theorem"}
KINDS = {"eq": "Eq. ({})", "fig": "Fig. {}", "tab": "Table {}", "ex": "Exercise {}"}
EXERCISE = re.compile(r"^`{3,}\{exercise\}.*\n:label: ([\w-]+)$", re.MULTILINE)
PAGE_NUMBER = re.compile(r"(?:^|/)(\d+)_[^/]*$")


@dataclass(frozen=True)
class Names:
    """What labels stand for: titles of sections, numbers as in the book, authors and years."""

    titles: Mapping[str, str]
    numbers: Mapping[str, str]
    sources: Mapping[str, tuple[str, str]]


def names_of_book() -> Names:
    """Read what the labels of the book stand for; where Sphinx counts, count as it does."""
    texts = {}
    for page in pages.toc_pages(pages.read_toc()):
        notebook = pages.ROOT / "notebooks" / f"{Path(page).name}.md"
        source = notebook if notebook.is_file() else pages.ROOT / f"{page}.md"
        texts[page] = source.read_text("utf-8")
    whole = "\n".join(texts.values())
    numbers = json.loads((pages.ROOT / "book" / "paper_numbers.json").read_text("utf-8"))
    ours = 0
    for _, label in EQUATION.findall(whole):
        if label not in numbers:
            ours += 1
            numbers[label] = f"C.{ours}"
    for page, text in texts.items():
        for place, label in enumerate(EXERCISE.findall(text), start=1):
            numbers[label] = f"{page_number(page) or 'C'}.{place}"
    return Names(dict(HEADING.findall(whole)), numbers, read_sources())


def page_number(page: str) -> int | None:
    """Return the number with which a page's file name begins.

    Examples
    --------
    >>> page_number("book/pages/05_emotion_avatar"), page_number("book/course")
    (5, None)
    """
    found = PAGE_NUMBER.search(page)
    return int(found[1]) if found else None


def read_sources() -> dict[str, tuple[str, str]]:
    """Return authors and year of each entry of the bibliography."""
    sources = {}
    for key, entry in parse_file(pages.ROOT / "book" / "references.bib").entries.items():
        people = [" ".join(map(str, person.rich_last_names)) for person in entry.persons["author"]]
        short = f"{people[0]} *et al.*" if len(people) > 2 else " and ".join(people)
        sources[key] = (short, entry.fields["year"])
    return sources


def plain(text: str, names: Names) -> str:
    r"""Return MyST as plain Markdown.

    Examples
    --------
    >>> names = Names({"sec-a": "Magnify"}, {"eq-5": "5"}, {"wu2012": ("Wu *et al.*", "2012")})
    >>> print(plain("(sec-b)=\n## Why\nSee {ref}`sec-a`, {eq}`eq-5`, {cite}`wu2012`.", names))
    ## Why
    See *Magnify*, Eq. (5), [Wu *et al.*, 2012].
    >>> print(plain("$$\na = b\n$$ (eq-5)\n\n```{exercise}\n:label: ex-a\nAdd.\n```", names))
    $$
    a = b
    \tag{5}$$
    <BLANKLINE>
    **Exercise.** Add.
    """
    text = EQUATION.sub(lambda found: equation(found, names), without_grids(text))
    while DIRECTIVE.search(text):  # one may stand in another
        text = DIRECTIVE.sub(lambda found: directive(found, names), text)
    text = ROLE.sub(lambda found: role(found, names), text)
    return LABEL.sub("", text).strip("\n")


def without_grids(text: str) -> str:
    r"""Put what a page has side by side one below the other.

    Examples
    --------
    >>> print(without_grids("::::{grid} 1 1 2 2\n:gutter: 3\n\n:::{grid-item-card} Read\nIt.\n:::\n::::"))
    <BLANKLINE>
    **Read**
    <BLANKLINE>
    It.
    """
    if not GRID.search(text):
        return text
    text = GRID.sub(
        lambda found: f"**{found[2]}**\n\n" if found[1] == "grid-item-card" else "", text
    )
    return FENCE.sub("", text).rstrip("\n")


def equation(found: re.Match[str], names: Names) -> str:
    """Return a numbered equation."""
    return f"$${found[1]}\\tag{{{names.numbers[found[2]]}}}$$"


def role(found: re.Match[str], names: Names) -> str:
    """Return what stands in the place of a role such as ``{ref}`` or ``{cite}``."""
    kind, content = found.groups()
    if kind in ("cite", "cite:p"):
        works = [", ".join(names.sources[key.strip()]) for key in content.split(",")]
        return f"[{'; '.join(works)}]"
    if kind == "cite:t":
        return "{} [{}]".format(*names.sources[content])
    named = NAMED.fullmatch(content)
    if named:
        return named[1]
    if content in names.numbers:
        return reference(content, names)
    if content in names.titles:
        return f"*{names.titles[content]}*"
    return f"`{content}`" if kind in ("func", "class", "meth", "mod") else content


def reference(label: str, names: Names) -> str:
    """Return what the book calls an equation, figure or table, e.g. ``Eq. (5)``."""
    return KINDS[label.partition("-")[0]].format(names.numbers[label])


def directive(found: re.Match[str], names: Names) -> str:
    """Return a directive as a paragraph that begins with its name, then its body."""
    _, kind, argument, body = found.groups()
    options = {}
    while option := OPTION.match(body):
        options[option[1]] = option[2]
        body = body[option.end() :]
    body = body.strip("\n")
    if kind == "quiz":
        return quiz(body)
    if "dropdown" in options.get("class", ""):
        return f"<details><summary>{WORDS.get(kind, argument)}</summary>\n\n{body}\n\n</details>"
    if kind == "code-block":
        return f"```{argument}\n{body}\n```"
    title = argument.rstrip(".")
    if kind in WORDS:  # a solution's argument is the label of its exercise
        title = f"{WORDS[kind]} ({title})" if title and kind != "solution" else WORDS[kind]
        if kind == "exercise" and options.get("label") in names.numbers:
            title = reference(options["label"], names)
    elif options.get("name") in names.numbers:
        title = f"{reference(options['name'], names)}. {title}"
    between = "\n\n" if kind == "table" else " "
    return f"**{title}.**{between}{body}" if title else body


def quiz(body: str) -> str:
    """Return a question, its answers as a list, and what to think of each, folded one by one."""
    question = body[: body.index("\n* (")].strip()
    answers, verdicts = [], []
    for number, (mark, answer, why) in enumerate(ANSWER.findall(f"{body}\n"), start=1):
        verdict = "Right." if mark == "x" else "No."
        reason = " ".join(textwrap.dedent(why).split())
        answers.append(f"{number}. {' '.join(answer.split())}")
        verdicts.append(
            f"<details><summary>If you chose {number}</summary>\n\n{verdict} {reason}\n\n</details>"
        )
    return "\n\n".join([f"**Check yourself.** {question}", "\n".join(answers), *verdicts])
