"""Slides for each lesson of the course, made from the built pages."""

from __future__ import annotations

import html
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from memaa_book import pages
from memaa_book.published import built_book, whole_folder
from memaa_lib._support.errors import InputError

LESSON = re.compile(r"^## Lesson (\d+): (.+)\n+\*\*Pages?\*\* (.+)$", re.MULTILINE)
LABEL = re.compile(r"\{ref\}`([\w-]+)`")
SLIDE_LINES = 15  # about so many lines of text fit on a slide
NO_SLIDE = ("Exercises", "All items")
PICTURES = [
    "img",
    "video",
    "figure",
    "memaa-film",
    "memaa-live",
    "memaa-scrubber",
    "memaa-compare",
    "memaa-explorer",
]
BLOCKS = ["p", "ul", "ol", "dl", "div", "table", "figure", "blockquote"]


@dataclass(frozen=True)
class Lesson:
    """One lesson of the course: its number, its title, and the labels of its pages."""

    number: int
    title: str
    labels: tuple[str, ...]


def read_lessons() -> list[Lesson]:
    """Return the lessons of the course guide: a heading, then a line that names the pages."""
    text = (pages.ROOT / "book" / "course.md").read_text("utf-8")
    found = LESSON.findall(text)
    if not found:
        raise InputError(
            'book/course.md: no lesson; expected "## Lesson 1: ...", then "**Pages** ..."'
        )
    return [Lesson(int(number), title, tuple(LABEL.findall(line))) for number, title, line in found]


def pages_by_label() -> dict[str, str]:
    """Return the page of each notebook, by the label at its top."""
    found: dict[str, str] = {}
    for run in pages.published_runs():
        labelled = re.search(r"^\((page-[\w-]+)\)=$", run.source.read_text("utf-8"), re.MULTILINE)
        if labelled:
            found.setdefault(labelled[1], run.page)
    return found


def write_slides(target: Path | None = None) -> list[Path]:
    """Write one deck of slides a lesson, from the built pages.

    A heading begins a slide, each sentence is a point, equations keep their numbers and players move.
    The decks need no network; their links lead to the book beside them.

    Parameters
    ----------
    target
        Folder; default ``_build/slides``, beside the book.

    Returns
    -------
    list of Path
        ``lesson-1.html`` to ``lesson-6.html`` and ``index.html``.

    Raises
    ------
    InputError
        If the book has not been built.
    """
    from bs4 import BeautifulSoup

    book = built_book()
    folder = target or pages.ROOT / "_build" / "slides"
    lessons, places = read_lessons(), pages_by_label()
    written = []
    with whole_folder(folder) as temporary:
        copy_assets(book, temporary)
        guide = BeautifulSoup((book / "book/course.html").read_text("utf-8"), "html.parser")
        for lesson in lessons:
            slides = [title_slide(lesson, guide)]
            for label in lesson.labels:
                path = book / f"{places[label]}.html"
                page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
                relocate(page, path, book)
                slides += page_slides(page)
            text = deck(f"Lesson {lesson.number}: {lesson.title}", slides)
            keep_images(text, book, temporary)
            (temporary / f"lesson-{lesson.number}.html").write_text(text, "utf-8")
            written.append(folder / f"lesson-{lesson.number}.html")
        (temporary / "index.html").write_text(deck_index(lessons), "utf-8")
    return [folder / "index.html", *written]


def copy_assets(book: Path, target: Path) -> None:
    """Copy MathJax, styles and players beside the slides."""
    (target / "_static").mkdir(parents=True)
    for name in ("memaa.css", "memaa.js", "pygments.css", "favicon.svg"):
        shutil.copy(book / "_static" / name, target / "_static")
    for name in ("deck.css", "deck.js"):
        shutil.copy(pages.ROOT / "book" / "_static" / name, target / "_static")
    shutil.copytree(book / "_static" / "vendor", target / "_static" / "vendor")


def keep_images(text: str, book: Path, target: Path) -> None:
    """Copy the images that a deck shows."""
    (target / "_images").mkdir(exist_ok=True)
    for name in re.findall(r'src="_images/([^"]+)"', text):
        shutil.copy(book / "_images" / unquote(name), target / "_images")


def relocate(page: Any, path: Path, book: Path) -> None:
    """Make the addresses on a page those of a deck: images beside it, links into the book."""
    for tag in page.find_all(["img", "a"]):
        name = "src" if tag.name == "img" else "href"
        address = tag.get(name, "")
        parts = urlparse(address)
        if parts.scheme or not address:
            continue
        place = (path.parent / parts.path).resolve() if parts.path else path.resolve()
        inside = os.path.relpath(place, book.resolve())
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        tag[name] = inside if tag.name == "img" else f"../html/{inside}{anchor}"


def title_slide(lesson: Lesson, guide: Any) -> str:
    """Return the first slide: the lesson's paragraphs of the course guide without the assignment."""
    section = guide.find(id=f"lesson-{lesson.number}")
    section = section.find_parent("section") or section if section.name != "section" else section
    said = [str(p) for p in section.find_all("p") if not p.get_text().startswith("Assignment")]
    kept = [re.sub(r"</?a\b[^>]*>", "", text) for text in said if "Rubric" not in text]
    return f"<h1>Lesson {lesson.number}: {html.escape(lesson.title)}</h1>" + "".join(kept[:4])


def page_slides(page: Any) -> list[str]:
    """Return the slides of a built page, parsed with BeautifulSoup, as HTML."""
    article = page.find("article") or page
    for useless in article.select(".headerlink, .memaa-provenance, details.hide, .memaa-quiz"):
        useless.decompose()
    for useless in article.select(".tag_injected-parameters, .tag_exercise, .tag_exercise-test"):
        useless.decompose()
    for tabs in article.select(".memaa-sets"):  # a slide shows the first data set
        shown = tabs.select_one(".sd-tab-content")
        tabs.replace_with(shown)
    slides: list[str] = []
    for heading, blocks in sections(article):
        if heading.get_text().strip() in NO_SLIDE or not blocks:
            continue
        title = "".join(str(part) for part in heading.contents)
        for count, part in enumerate(packed(blocks)):
            more = " (continued)" if count else ""
            slides.append(f"<{heading.name}>{title}{more}</{heading.name}>{''.join(part)}")
    return slides


def sections(article: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield each heading of a page with the blocks below it, down to the next heading."""
    for section in article.find_all("section"):
        heading = section.find(["h1", "h2", "h3", "h4"], recursive=False)
        if heading is not None:
            yield heading, section.find_all(BLOCKS, recursive=False)


def packed(blocks: Sequence[Any]) -> Iterator[list[str]]:
    """Yield the blocks of a section slide by slide."""
    slide: list[str] = []
    filled = 0.0
    for block in blocks:
        if not block.get_text(strip=True) and not block.find(PICTURES):
            continue  # of a folded cell nothing is left but what it shows
        if block.find(PICTURES):  # how a figure is drawn is for the page
            for code in block.select(".cell_input"):
                code.decompose()
        text = as_points(block) if block.name == "p" else str(block)
        if filled and filled + lines(block) > SLIDE_LINES:
            yield slide
            slide, filled = [], 0.0
        slide.append(text)
        filled += lines(block)
    if slide:
        yield slide


def as_points(paragraph: Any) -> str:
    """Return a paragraph, in which each sentence has its line, as a list of points."""
    points: list[str] = [""]
    for child in paragraph.children:
        pieces = str(child).split("\n") if isinstance(child, str) else [str(child)]
        points[-1] += pieces[0]
        points += pieces[1:]
    items = [point.strip() for point in points if point.strip()]
    return "<ul>" + "".join(f"<li>{point}</li>" for point in items) + "</ul>"


def lines(block: Any) -> float:
    """Estimate how many lines of a slide a block takes."""
    if block.find(class_="memaa-told"):
        return 3.0 + 0.7 * float(len(block.find_all("tr")))
    if block.find(PICTURES):
        return SLIDE_LINES - 3.5
    if block.name == "table" or block.find("table"):
        return 2.0 + float(len(block.find_all("tr")))
    text = str(block.get_text()).strip()
    if "math" in block.get("class", []):
        return 3.0
    if block.find("pre"):
        boxes = [pre.get_text().strip().count("\n") + 1 for pre in block.find_all("pre")]
        return 0.62 * float(sum(boxes)) + 0.8 * len(boxes)
    return 0.6 + sum(1 + len(line) / 95 for line in text.split("\n"))


def deck(title: str, slides: Sequence[str]) -> str:
    """Return a deck of slides, each of them HTML, as one page."""
    count = len(slides)
    body = "\n".join(
        f'<section class="slide" aria-label="Slide {number} of {count}">{slide}</section>'
        for number, slide in enumerate(slides, start=1)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="_static/favicon.svg">
<link rel="stylesheet" href="_static/pygments.css">
<link rel="stylesheet" href="_static/memaa.css">
<link rel="stylesheet" href="_static/deck.css">
<script defer src="_static/vendor/mathjax/tex-mml-chtml.js"></script>
<script defer src="_static/memaa.js"></script>
<script defer src="_static/deck.js"></script>
</head>
<body>
<main class="deck">
{body}
</main>
</body>
</html>
"""


def deck_index(lessons: Sequence[Lesson]) -> str:
    """Return the page that lists the decks."""
    items = "".join(
        f'<li><a href="lesson-{lesson.number}.html">Lesson {lesson.number}: '
        f"{html.escape(lesson.title)}</a></li>"
        for lesson in lessons
    )
    return deck("Slides", [f"<h1>Slides of the MEMAA companion</h1><ul>{items}</ul>"])
