"""Slides: every page is in a lesson; headings, points and pictures; addresses lead into the book."""

from pathlib import Path

from bs4 import BeautifulSoup
from memaa_book import slides

from memaa_lib import figures

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))


def test_every_page_of_the_method_is_in_one_lesson():
    lessons = slides.read_lessons()
    places = slides.pages_by_label()
    assert [lesson.number for lesson in lessons] == [1, 2, 3, 4, 5, 6]
    assert lessons[0].title == "Seeing what is too small"
    named = [Path(places[label]).name for lesson in lessons for label in lesson.labels]
    assert sorted(named) == sorted(path.stem for path in NOTEBOOKS if path.stem != "00_front")


PAGE = """<article><section><h1>Title<a class="headerlink" href="#x">#</a></h1>
<p>One sentence.
Another with <em>two
lines</em>.</p>
<section id="b"><h2>Second</h2><p>See <a href="../a.html#eq">there</a>.</p>
<div class="cell"><div class="cell_input"><pre>plot()</pre></div><img src="../_images/a.png" alt="A"></div>
<div class="cell tag_exercise"><pre>answer</pre></div></section>
<section><h2>Exercises</h2><p>Not on a slide.</p></section></section></article>"""


def test_slides_hold_headings_points_and_pictures_only():
    first, second = slides.page_slides(BeautifulSoup(PAGE, "html.parser"))
    assert first.startswith("<h1>Title</h1>")
    assert first.count("<li>") == 2
    assert "plot()" not in second, "how a figure is drawn stays on the page"
    assert "answer" not in second
    assert "img" in second


def test_addresses_of_slides_lead_into_the_book(tmp_path):
    page = BeautifulSoup(PAGE, "html.parser")
    (tmp_path / "book").mkdir()
    slides.relocate(page, tmp_path / "book" / "page.html", tmp_path)
    assert page.select_one("p a")["href"] == "../html/a.html#eq"
    assert page.img["src"] == "_images/a.png"


def test_a_table_that_speaks_stands_on_a_slide_without_the_code_that_draws_it():
    rows = [figures.IntervalRow(f"row {number}", 0.5, 0.4, 0.6) for number in range(15)]
    drawn = figures.intervals(rows, heads=("row", "score")).data
    text = f"""<article><section><h2>Scores</h2><p>Said before.</p><div class="cell">
    <div class="cell_input"><pre>figures.intervals(rows)</pre></div>{drawn}</div></section></article>"""
    said, shown = slides.page_slides(BeautifulSoup(text, "html.parser"))
    assert "Said before." in said
    assert "figures.intervals" not in shown
    assert shown.count("<tr") == 16
