"""Slides: a deck for each lesson, written as slides; figures come from the built pages."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from memaa_book import slides

from memaa_lib import InputError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
DECKS = sorted((ROOT / "book" / "slides").glob("lesson-*.md"))


def test_every_page_of_the_method_is_in_one_lesson():
    lessons = slides.read_lessons()
    places = slides.pages_by_label()
    assert [lesson.number for lesson in lessons] == [1, 2, 3, 4, 5, 6]
    assert lessons[0].title == "Seeing what is too small"
    named = [Path(places[label]).name for lesson in lessons for label in lesson.labels]
    assert sorted(named) == sorted(path.stem for path in NOTEBOOKS if path.stem != "00_front")


@pytest.mark.parametrize("lesson", slides.read_lessons(), ids=lambda lesson: str(lesson.number))
def test_a_lesson_has_fifteen_to_twenty_slides_with_a_question_a_vote_a_formula_and_a_cell(lesson):
    text = (ROOT / "book" / "slides" / f"lesson-{lesson.number}.md").read_text("utf-8")
    deck = slides.END_OF_SLIDE.split(text)
    assert deck[0].startswith(f"# Lesson {lesson.number}: {lesson.title}\n")
    assert 15 <= len(deck) <= 20
    assert len(re.findall("^## Vote", text, re.MULTILINE)) >= 1
    for what in ("?", "$$", "```python", "!["):
        assert what in text, f"no slide with {what}"
    asked = re.findall(r"\]\((page-[\w-]+)\)", text)
    assert set(lesson.labels) <= set(asked), "each page of the lesson is shown or named"


PAGE = """<article><section><h1>Title</h1><p>See <a href="../a.html#eq">there</a>.</p>
<div class="sd-tab-set"><label>One</label><div class="sd-tab-content"><figure>
<img src="../_images/a.png" alt="A face in gray, first"/><figcaption>Of the set that
the tab names.</figcaption></figure></div><label>Two</label><div class="sd-tab-content">
<img src="../_images/b.png" alt="A face in gray, second"/></div></div>
<figure><memaa-film aria-label="A film of
 stripes"></memaa-film><figcaption>Said below.</figcaption></figure></section></article>"""


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.html").write_text(PAGE, "utf-8")
    return slides.Shelf(tmp_path, {"page-one": "book/page"})


def read(tmp_path, shelf, text):
    (tmp_path / "deck.md").write_text(text, "utf-8")
    return [BeautifulSoup(s, "html.parser") for s in slides.read_deck(tmp_path / "deck.md", shelf)]


def test_a_line_of_dashes_ends_a_slide(tmp_path, shelf):
    first, second = read(tmp_path, shelf, "# One\n\nText --- and text\n\n---\n\n## Two\n")
    assert first.h1.text == "One"
    assert second.h2.text == "Two"


def test_a_figure_is_that_of_the_first_tab_and_a_film_keeps_its_caption(tmp_path, shelf):
    text = "![A face in gray](page-one)\n\n![A film of stripes](page-one)\n"
    (slide,) = read(tmp_path, shelf, text)
    gray, stripes = slide.find_all("figure")
    assert gray.img["src"] == "_images/a.png"
    assert gray.figcaption.text == "Of the set (One).", "there is no tab on a slide"
    assert stripes.figcaption.text == "Said below."
    assert slide.find("p") is None, "a paragraph may hold no figure"


def test_a_drawn_table_is_found_by_its_caption(tmp_path, shelf):
    (slide,) = read(tmp_path, shelf, "![Said](page-one)\n")
    assert slide.figure.find("memaa-film")
    assert slide.figure.figcaption.text == "Said below."


def test_formulas_code_and_links(tmp_path, shelf):
    text = "$a < b$\n\n$$ c $$\n\n```python\nimport os\n```\n\n[more](page-one)\n"
    (slide,) = read(tmp_path, shelf, text)
    assert slide.select_one(".math.inline").text == r"\(a < b\)"
    assert slide.select_one(".math.block").text.strip() == r"\[c\]"
    assert slide.select_one("pre.highlight .kn").text == "import"
    assert slide.a["href"] == "../html/book/page.html"


@pytest.mark.parametrize("text", ["![No such](page-one)", "![A face](page-two)", "[x](page-two)"])
def test_what_is_not_there_is_named_with_the_slide(tmp_path, shelf, text):
    with pytest.raises(InputError, match=r"deck.md, slide 2: no (page|figure)"):
        read(tmp_path, shelf, f"# One\n\n---\n\n{text}\n")


def test_addresses_of_slides_lead_into_the_book(tmp_path):
    page = BeautifulSoup(PAGE, "html.parser")
    (tmp_path / "book").mkdir()
    slides.relocate(page, tmp_path / "book" / "page.html", tmp_path)
    assert page.select_one("p a")["href"] == "../html/a.html#eq"
    assert page.img["src"] == "_images/a.png"
