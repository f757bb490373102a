"""The built book in a browser: offline, no errors, accessible, no overflow, players that move.

These tests look at ``_build/html``, which ``make book`` makes; without it, or without Chromium, they
are skipped and say so.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from bs4 import BeautifulSoup
from memaa_book import cli, pdf, slides
from memaa_book.pages import published_runs, read_toc, toc_pages
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PAGES = list(toc_pages(read_toc()))
FLAGS = list(pdf.BROWSER_FLAGS)
STILL = {"reduced_motion": "reduce"}  # no film plays while something else is looked at
MODES = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, **STILL},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        **STILL,
    },
}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGE_LIMIT = 3_000_000  # bytes of HTML; images stand inside the page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HTML.is_dir(), reason="NO BOOK TO TEST: run make book first"),
]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("NO BROWSER TESTS: Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture(scope="module")
def tabs(browser):
    """A tab of each mode, which goes from page to page: with a new one a page takes twice the time."""
    tabs = {mode: browser.new_page(**options) for mode, options in MODES.items()}
    yield tabs
    for tab in tabs.values():
        tab.close()


@pytest.fixture(params=["desktop"])
def page(browser, tabs, request):
    """A tab to look at pages in: that of a mode, or one with options of its own, closed afterwards."""
    if isinstance(request.param, str):
        tab = tabs[request.param]
        yield tab
        tab.emulate_media(media="null")
        tab.evaluate("sessionStorage.clear()")  # which data set was chosen
        tab.goto("about:blank")  # no film plays on
    else:
        with browser.new_page(**request.param) as page:
            yield page


@contextlib.contextmanager
def listening(page, base: str = ""):
    """Note what goes wrong on a page, which comes from disk or from ``base``."""
    complaints: list[str] = []
    inside = ("file:", "data:", "blob:", *([base] if base else []))

    def asked(request):
        if not request.url.startswith(inside):
            complaints.append(f"asks for {request.url}")

    def missed(request):
        if request.failure != "net::ERR_ABORTED":  # it was still on its way when the tab went on
            complaints.append(f"misses {request.url[-80:]}")

    def answered(response):
        if response.status >= 400:
            complaints.append(f"{response.status}: {response.url}")

    def threw(error):
        complaints.append(f"throws {error}")

    def said(message):
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type}: {message.text}")

    heard = {
        "request": asked, "requestfailed": missed, "response": answered, "pageerror": threw,
        "console": said,
    }  # fmt: skip
    for event, hear in heard.items():
        page.on(event, hear)
    try:
        yield complaints
    finally:
        for event, hear in heard.items():
            page.remove_listener(event, hear)


@contextlib.contextmanager
def visiting(page, name: str, base: str = ""):
    """Open a page, from disk or from ``base``, and note what goes wrong from then on."""
    with listening(page, base) as complaints:
        page.goto(f"{base}{name}.html" if base else address(name), wait_until="load")
        page.wait_for_timeout(150)
        yield complaints


def visit(page, name: str) -> list[str]:
    """Open a page from disk; return what went wrong while it loaded."""
    with visiting(page, name) as complaints:
        return complaints


def address(name: str) -> str:
    return (HTML / f"{name}.html").as_uri()


@pytest.fixture(scope="module")
def axe() -> str:
    import axe_playwright_python

    return Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")


# MathJax's own markup is left out. Nothing is preloaded: axe would read style sheets anew, which a browser
# does not allow from file://.
AXE = """async only => (await axe.run({exclude: [['mjx-container']]}, {
    runOnly: only, resultTypes: ['violations'], preload: false, selectors: false,
    rules: only.type == 'tag' ? {'color-contrast': {enabled: false}} : {},
})).violations.map(rule => `${rule.id}: ${rule.nodes[0].html.slice(0, 120)}`)"""
COLORS = {"type": "rule", "values": ["color-contrast"]}
ALL_BUT_COLORS = {"type": "tag", "values": RULES}
# axe looks at every element, which takes minutes. So it gets equations without their parts and of the
# library reference the first modules.
SHORTEN = """() => {
    document.querySelectorAll('mjx-container').forEach(equation => equation.replaceChildren());
    document.querySelectorAll(
        '#library-reference > section:nth-of-type(n+4), .page-toc li li:nth-of-type(n+2)'
    ).forEach(e => e.remove());
}"""
# Of texts of one look, that is color, size, weight and all that lies behind it, axe gets the first in the book.
# A look is noted in light and in dark, and what was taken away is put back.
LOOK = """() => {
    window.looks ??= new Map();
    const behind = new Map([[null, '']]);
    const ground = e => {
        if (!behind.has(e)) {
            const {backgroundColor, backgroundImage, opacity, position} = getComputedStyle(e);
            const own = [backgroundColor, backgroundImage, opacity, position].join(' ');
            behind.set(e, ground(e.parentElement) + own);
        }
        return behind.get(e);
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text; text = texts.nextNode();) {
        const of = text.parentElement, {color, fontSize, fontWeight} = getComputedStyle(of);
        const long = text.data.trim().length > 1; // of a single character axe does not judge
        const look = [color, fontSize, fontWeight, of.checkVisibility(), long, ground(of)];
        looks.set(text, (looks.get(text) ?? '') + look);
    }
}"""
KEEP_ONE_OF_EACH_NEW_LOOK = """known => {
    const seen = new Set(known), texts = [...looks].filter(([text]) => text.data.trim());
    const alike = texts.filter(([_, look]) => seen.has(look) || !seen.add(look));
    window.taken = [];
    for (const [text] of alike) {
        const word = text.parentElement.closest('pre span');
        if (word) word.replaceWith(...word.childNodes); // code stays as wide as it is
        else taken.push([text, text.data]), text.data = '';
    }
    return [...seen].slice(known.length);
}"""
PUT_BACK = "taken.forEach(([text, data]) => text.data = data)"
NO_COLORS_IN_CODE = """document.querySelectorAll('.highlight pre span')
    .forEach(word => word.replaceWith(...word.childNodes))"""
CUT_OFF = """[...document.querySelectorAll('.cell_input pre')]
    .filter(code => code.checkVisibility() && code.scrollWidth > code.clientWidth)
    .map(code => code.innerText.slice(0, 80))"""
NAMELESS = "[...document.images].filter(i => !i.alt.trim()).map(i => i.src.slice(-60))"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served():
    """The address of the book on a server."""
    handler = functools.partial(Quiet, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def grouped(names):
    """Pages as parameters; what is tested on one stays in one process, so that it is opened once."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]


@pytest.fixture(scope="module", params=grouped([*PAGES, "search", "genindex"]))
def opened(tabs, request):
    """A page from disk on a desktop, and what went wrong since it was opened."""
    page = tabs["desktop"]
    with visiting(page, request.param) as complaints:
        yield page, request.param, complaints
    page.goto("about:blank")


def test_a_page_needs_no_network_raises_no_error_and_is_not_cut_off(opened):
    page, _, complaints = opened
    assert complaints == []
    assert layout_faults(page) == []
    assert page.evaluate(CUT_OFF) == []
    turn(page, "dark")
    page.set_viewport_size({"width": 1360, "height": 900})
    assert layout_faults(page) == []
    page.set_viewport_size(MODES["desktop"]["viewport"])
    turn(page, "light")


def test_every_quiz_answered_wrong_and_right(opened):
    page, name, complaints = opened
    source = ROOT / "notebooks" / f"{Path(name).name}.md"
    quizzes = soup(HTML / f"{name}.html").select(".memaa-quiz")
    assert len(quizzes) == (source.read_text("utf-8").count("{quiz}") if source.is_file() else 0)
    for number, written in enumerate(quizzes):
        quiz = page.locator(".memaa-quiz").nth(number)
        folds = written.select("details")
        choices, button = quiz.get_by_role("radio"), quiz.get_by_role("button")
        said = quiz.get_by_role("status")
        assert choices.count() == len(folds)
        assert quiz.get_by_role("group").get_attribute("aria-labelledby")
        button.click()
        assert not quiz.locator(".verdict").count(), "nothing was chosen yet"
        wrong = [i for i, fold in enumerate(folds) if "wrong" in fold["class"]]
        (right,) = set(range(len(folds))) - set(wrong)
        for choice in (*wrong, right):
            choices.nth(choice).check()
            assert said.inner_text() == "", "chosen, but not yet checked"
            button.click()
            told = said.inner_text()
            assert told.startswith("Right." if choice == right else "No.")
            assert len(told) > 20, "the reason is told, too"
            assert choices.nth(choice).is_enabled()
    assert complaints == []


@pytest.fixture(scope="module")
def seen() -> list[str]:
    """Looks of texts whose contrast was measured."""
    return []


def test_a_page_is_accessible_in_light_and_dark(opened, axe, seen):
    page, _, complaints = opened
    page.add_style_tag(content="* { transition: none !important }")  # new colors at once
    page.evaluate(axe)
    page.evaluate(SHORTEN)
    page.evaluate(LOOK)
    turn(page, "dark")
    page.evaluate(LOOK)
    new = page.evaluate(KEEP_ONE_OF_EACH_NEW_LOOK, seen)
    faults = page.evaluate(AXE, COLORS) if new else []
    turn(page, "light")
    faults += page.evaluate(AXE, COLORS) if new else []
    seen += new
    page.evaluate(PUT_BACK)
    page.evaluate(NO_COLORS_IN_CODE)
    faults += page.evaluate(AXE, ALL_BUT_COLORS)
    assert faults + complaints == []


def turn(page, scheme: str) -> None:
    """Turn a page dark or light."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")


@pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
@pytest.mark.parametrize("page", ["phone"], indirect=True)
def test_a_page_from_a_server_is_accessible_on_a_phone(page, name, served, axe):
    with visiting(page, name, served) as complaints:
        faults = layout_faults(page)
        page.evaluate(axe)
        page.evaluate(SHORTEN)
        page.evaluate(NO_COLORS_IN_CODE)
        faults += page.evaluate(AXE, ALL_BUT_COLORS)
    assert faults + complaints == []


def layout_faults(page) -> list[str]:
    """Say what is too wide, and which images have no words."""
    faults = [f"no alternative text: {image}" for image in page.evaluate(NAMELESS)]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        faults.append("is wider than the window")
    return faults


# ------------------------------------------------------------------ what the files say, no browser
@functools.cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@functools.cache
def anchors(path: Path) -> set[str]:
    return {tag["id"] for tag in soup(path).find_all(id=True)}


def broken_links(path: Path, root: Path) -> list[str]:
    """Addresses on a page that lead to no file below ``root``, or to no place in it."""
    broken = []
    for tag in soup(path).find_all(["a", "img", "link", "script", "source"]):
        target = tag.get("href") or tag.get("src") or ""
        parts = urlparse(target)
        if parts.scheme or parts.netloc or not target:
            continue
        place = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
        if not place.is_relative_to(root.resolve()) or not place.is_file():
            broken.append(target)
        elif parts.fragment and place.suffix == ".html":
            known = anchors(place)
            if unquote(parts.fragment) not in known and tag.name == "a":
                broken.append(target)
    return broken


def test_no_internal_link_or_image_is_broken():
    found = {name: broken_links(HTML / f"{name}.html", HTML) for name in [*PAGES, "genindex"]}
    assert {name: links for name, links in found.items() if links} == {}


def test_every_equation_figure_and_table_of_the_paper_has_its_place():
    known = set().union(*(anchors(HTML / f"{name}.html") for name in PAGES))
    numbered = json.loads((ROOT / "book" / "paper_numbers.json").read_text("utf-8"))
    wanted = [f"equation-{name}" if name.startswith("eq-") else name for name in numbered]
    assert len(wanted) == 15 + 5 + 7
    assert [name for name in wanted if name not in known] == []


def all_commands(command, path: str = "memaa") -> list[str]:
    below = getattr(command, "commands", None)
    if below is None:
        return [path]
    return [name for key, one in below.items() for name in all_commands(one, f"{path} {key}")]


def test_every_command_and_option_stands_in_the_reference():
    text = soup(HTML / "book" / "cli.html").find("article").get_text()
    heads = soup(HTML / "book" / "cli.html").select("article section section > h2")
    titles = {head.get_text().rstrip("#") for head in heads}
    command = get_command(cli.app)
    assert set(all_commands(command)) == titles
    options = [
        name
        for one in [*command.commands.values(), *command.commands["data"].commands.values()]
        for option in getattr(one, "params", [])
        for name in option.opts
        if name.startswith("--") and name != "--help"
    ]
    assert [name for name in options if name not in text] == []


# ------------------------------------------------------------------ players and quizzes
def test_a_scrubber_moves_by_keyboard(page):
    moved = 0
    for name in PAGES:
        if "<memaa-scrubber" not in (HTML / f"{name}.html").read_text("utf-8"):
            continue
        visit(page, name)
        image, slider = (page.locator(f"memaa-scrubber {tag}").first for tag in ("img", "input"))
        before = image.get_attribute("src")
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        if image.get_attribute("src") == before:  # it stood at its end
            page.keyboard.press("Home")
        assert image.get_attribute("src") != before, name
        assert slider.get_attribute("aria-valuetext")
        moved += 1
    assert moved > 0


@pytest.mark.parametrize(
    ("page", "by"), [("desktop", "click"), ("phone", "tap")], indirect=["page"]
)
def test_a_scrubber_moves_by_mouse_and_touch(page, by):
    visit(page, "book/pages/03_frame_removal")
    image, slider = (page.locator(f"memaa-scrubber {tag}").first for tag in ("img", "input"))
    slider.scroll_into_view_if_needed()
    seen = {image.get_attribute("src")}
    box = slider.bounding_box()
    for share in (0.1, 0.9):
        place = {"x": box["width"] * share, "y": box["height"] / 2}
        getattr(slider, by)(position=place)
        seen.add(image.get_attribute("src"))
    assert len(seen) >= 2


@pytest.mark.parametrize("name", ["05_emotion_avatar", "11_your_own_clip"])
def test_a_wiper_moves_by_keyboard_and_mouse(page, name):
    visit(page, f"book/pages/{name}")
    slider, stack = (page.locator(f"memaa-compare {tag}").first for tag in ("input", ".stack"))
    slider.focus()
    page.keyboard.press("End")
    assert "100%" in stack.get_attribute("style")
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] * 0.25, "y": box["height"] / 2})
    cut = int(re.search(r"(\d+)%", stack.get_attribute("style")).group(1))
    assert 15 < cut < 35


def test_the_explorer_shows_the_cancellation(page):
    visit(page, "book/pages/05_emotion_avatar")
    explorer = page.locator("memaa-explorer")
    words = explorer.locator("output")
    frames, filters = (explorer.locator("select").nth(number) for number in (0, 1))
    filters.select_option(label="ideal, 0.5-10 Hz")
    assert "1.0 times as large" in words.inner_text()
    frames.select_option(label="the middle half")
    assert "4.9 times as large" in words.inner_text()
    filters.select_option(label="onset-referenced, up to 10 Hz")
    explorer.locator("input").nth(1).focus()
    page.keyboard.press("Home")
    assert "alpha = 0," in words.inner_text()
    assert "1.0 times as large" in words.inner_text()
    page.keyboard.press("End")
    kept, whole = map(float, re.findall(r"([\d.]+) (?:times|would)", words.inner_text()))
    assert kept > 0.9 * whole > 1


@pytest.mark.parametrize(
    ("page", "by"), [("desktop", "click"), ("phone", "tap")], indirect=["page"]
)
def test_confusion_matrices_answer_together_by_mouse_keyboard_and_touch(page, by):
    visit(page, "book/pages/07_results")
    smic = page.locator("label[data-sync-id=smic]").first  # the page opens with the composite
    (smic.tap if by == "tap" else smic.click)()
    shown = page.locator(".memaa-told:visible", has=page.locator(".memaa-confusion"))
    ours, printed = (shown.locator(".memaa-confusion").nth(number) for number in (0, 1))
    words = shown.locator(".memaa-words")
    last = printed.locator("td").nth(8)
    last.scroll_into_view_if_needed()
    (last.tap if by == "tap" else last.hover)()
    assert "25 of 43 surprise clips were called surprise (58%)" in words.inner_text()
    assert ours.locator("td").nth(8).get_attribute("data-words") in words.inner_text()
    ours.locator("td").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert "37 of 51 positive clips were called positive (73%)" in words.inner_text()
    assert shown.locator("td.told").count() == 2
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('table').caption.textContent") == (
        printed.locator("caption").inner_text()
    ), "a table is one stop of the tabulator key"


@pytest.mark.parametrize(("figure", "told"), [(0, "UF1"), (1, "CASME II")])
def test_intervals_tell_their_row(page, figure, told):
    visit(page, "book/pages/10_what_carries_the_result")
    rows = page.locator(".memaa-intervals").nth(figure).locator("tbody tr")
    words = page.locator(".memaa-words").nth(figure)
    rows.nth(2).hover()
    assert words.inner_text() == rows.nth(2).get_attribute("data-words")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    assert words.inner_text() == rows.nth(1).get_attribute("data-words")
    assert told in words.inner_text()
    width = page.evaluate(
        "getComputedStyle(document.querySelector('.memaa-intervals .track'), '::before').width"
    )
    assert float(width.removesuffix("px")) > 1, "the interval is drawn"


def test_a_quiz_is_answered_by_keyboard(page):
    visit(page, "book/pages/05_emotion_avatar")
    quiz = page.locator(".memaa-quiz").first
    quiz.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert "No." in quiz.get_by_role("status").inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert "Right." in quiz.get_by_role("status").inner_text()


def test_a_printed_quiz_gives_the_right_answer_and_no_button(page):
    visit(page, "book/pages/05_emotion_avatar")
    page.emulate_media(media="print")
    page.pdf()
    quiz = page.locator(".memaa-quiz").first
    assert "Right." in quiz.get_by_role("status").inner_text()
    assert not quiz.locator("button").is_visible()


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_without_script_an_answer_of_a_quiz_opens_by_keyboard(page):
    page.goto(address("book/pages/05_emotion_avatar"))
    answers = page.locator(".memaa-quiz summary")
    assert not page.locator(".memaa-quiz .verdict").nth(0).is_visible()
    answers.nth(0).focus()
    page.keyboard.press("Enter")
    assert page.locator(".memaa-quiz .verdict").nth(0).is_visible()
    answers.nth(1).focus()
    page.keyboard.press("Space")
    assert page.locator(".memaa-quiz details[open]").count() == 1
    assert "Right." in page.locator(".memaa-quiz details[open]").inner_text()


PLAYS = "document.querySelector('memaa-film video').currentTime > 0"


@pytest.mark.parametrize("page", [{"reduced_motion": "no-preference"}], indirect=True)
def test_a_film_plays_by_itself_while_it_is_seen(page):
    visit(page, "book/pages/11_your_own_clip")
    page.locator("memaa-film").first.scroll_into_view_if_needed()
    page.wait_for_function(PLAYS, timeout=5000)
    assert page.evaluate("document.querySelector('memaa-film video').videoWidth") > 0


def test_a_film_starts_stops_and_shows_a_frame_by_keyboard(page):
    visit(page, "book/pages/11_your_own_clip")
    film = page.locator("memaa-film").first
    button, slider = film.locator("button"), film.locator("input")
    film.scroll_into_view_if_needed()
    assert not page.evaluate(PLAYS), "who prefers less motion is asked first"
    button.focus()
    page.keyboard.press("Space")
    page.wait_for_function(PLAYS, timeout=5000)
    page.keyboard.press("Space")
    assert button.inner_text() == "Play"
    slider.focus()
    page.keyboard.press("End")
    last = int(film.get_attribute("data-frames")) - 1
    assert slider.get_attribute("aria-valuetext") == f"frame {last} of {last}"
    page.wait_for_function(f"{PLAYS.split('>')[0]} * 10 > {last}", timeout=5000)


def test_search_finds_pages_from_disk(page):
    page.goto((HTML / "search.html").as_uri() + "?q=magnification")
    page.wait_for_selector("ul.search li", timeout=10_000)
    assert page.locator("ul.search li").count() > 2


def test_equations_show_the_papers_numbers():
    page = (HTML / "book/pages/01_motion_magnification.html").read_text("utf-8")
    found = re.findall(r'class="eqno">\((\d+)\)', page)
    assert [number for number in found if number in "12345"] == ["1", "2", "3", "4", "5"]


def test_no_page_is_heavy():
    heavy = {
        name: size
        for name in PAGES
        if (size := (HTML / f"{name}.html").stat().st_size) > PAGE_LIMIT
    }
    assert heavy == {}


def test_executed_notebooks_are_clean():
    import nbformat

    for run in published_runs():
        for cell in nbformat.read(run.target, 4).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error", run
                assert output.get("name") != "stderr", (run, output.text)


# ------------------------------------------------------------------ slides and PDF
LONGER_THAN_THE_SCREEN = """() => {
  const slide = document.querySelector(".slide:not([hidden])");
  return slide.scrollHeight > slide.clientHeight + 8;
}"""


def test_slides_turn_by_keyboard_and_need_no_network(page, axe, tmp_path):
    index, *decks = slides.write_slides(tmp_path / "slides")
    for deck in decks:
        with listening(page) as complaints:
            page.goto(deck.as_uri())
            assert page.locator(".slide:visible").count() == 1
            page.keyboard.press("ArrowRight")
            page.wait_for_function("location.hash === '#2'")
            page.keyboard.press("End")
            last = page.locator(".slide").count()
            page.wait_for_function(f"location.hash === '#{last}'")
        assert complaints == []
        page.evaluate(axe)
        assert page.evaluate(AXE, ALL_BUT_COLORS) == []
        assert page.evaluate(AXE, COLORS) == []
        page.keyboard.press("Home")
        too_long = 0
        for _ in range(last):
            too_long += page.evaluate(LONGER_THAN_THE_SCREEN)
            page.keyboard.press("ArrowRight")
        assert too_long <= last / 20  # fonts differ a little between machines
    page.goto(index.as_uri())
    assert page.locator("a").count() == len(decks)


@pytest.mark.skipif(not CHROMIUM, reason="NO PDF TEST: Chromium is not installed")
def test_the_pdf_holds_the_papers_numbers_and_no_path(tmp_path):
    import pypdf

    names = ["book/pages/00_front", "book/pages/01_motion_magnification", "book/cite"]
    with ThreadPoolExecutor(1) as own_thread:  # two of playwright's loops share no thread
        path = own_thread.submit(pdf.write_pdf, tmp_path / "book.pdf", names).result()
    reader = pypdf.PdfReader(path)
    text = "".join(page.extract_text() for page in reader.pages)
    assert [f"({number})" for number in range(1, 6) if f"({number})" not in text] == []
    assert len(reader.outline) == len(names)
    assert b"file:" not in (tmp_path / "book.pdf").read_bytes()


def test_the_first_frame_does_not_show_the_label_as_page_12_says():
    page = (HTML / "book/pages/12_synthetic_twins.html").read_text("utf-8")
    words = BeautifulSoup(page, "html.parser").get_text(" ")
    true, count, highest, p = re.search(
        r"true labels: ([\d.]+)\s+(\d+) shuffles: [\d.]+ to ([\d.]+), .*\s+p = ([\d.]+)", words
    ).groups()
    assert int(count) == 200
    assert float(p) > 0.05
    assert float(true) < float(highest)
    motion = re.search(r"flow, onset to apex\s+all\s+([\d.]+)", words)[1]
    assert float(motion) > 1.5 * float(highest)
