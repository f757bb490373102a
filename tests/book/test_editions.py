"""Editions: solutions pass and stubs fail, students get no solution, the tree to publish is whole."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup
from memaa_book import build, editions, handouts, pages, plain, published
from memaa_book.pages import is_tagged

from memaa_lib._support.errors import InputError
from tests.book import answers

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
# a label, a role, a directive, a numbered equation or an option of a directive
RAW = re.compile(
    r"^\([\w-]+\)=|\{[\w:]+\}`|^(?:`{3,}|:{3,})\{|\$\$ *\([\w-]+\)|^:[\w-]+:", re.MULTILINE
)
HTML = ROOT / "_build" / "html"
METHOD_PAGES = [f"0{number}" for number in range(1, 9)]


def graded_pairs() -> list:
    """Every graded cell with the assertions after it, and the imports of its page."""
    pairs = []
    for path in NOTEBOOKS:
        cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
        imports = next(cell.source for cell in cells if "memaa_lib import" in cell.source)
        imports = imports.replace("figures.style()", "")
        for cell, following in itertools.pairwise(cells):
            if is_tagged(cell, "exercise"):
                assert is_tagged(following, "exercise-test"), path
                name = f"{path.stem[:2]}-{len(pairs)}"
                pairs.append(pytest.param(imports, cell.source, following.source, id=name))
    return pairs


@pytest.mark.parametrize(("imports", "answer", "assertions"), graded_pairs())
class TestGradedExercise:
    def test_the_solution_passes(self, imports, answer, assertions):
        space: dict = {}
        exec(imports.partition("index = ")[0], space)
        exec(answer, space)
        exec(assertions, space)

    def test_the_stub_fails(self, imports, answer, assertions):
        space: dict = {}
        exec(imports.partition("index = ")[0], space)
        exec(handouts.without_solution(answer), space)
        with pytest.raises(NotImplementedError, match="your solution"):
            exec(assertions, space)


def graded_pages() -> list[Path]:
    return [path for path in NOTEBOOKS if "exercise-test" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", graded_pages(), ids=lambda path: path.stem[:2])
def test_every_exercise_of_the_student_edition_is_solved_by_other_code(path):
    notebook = handouts.plain_notebook(path, "student")
    stubs = [cell.source for cell in notebook.cells if is_tagged(cell, "exercise")]
    assert answers.fill_in(notebook) == len(stubs)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    imports = next(cell.source for cell in cells if "memaa_lib import" in cell.source)
    space: dict = {}
    exec(imports.replace("figures.style()", "").partition("index = ")[0], space)
    for cell in cells:
        if is_tagged(cell, "exercise"):
            assert cell.source not in stubs
        if is_tagged(cell, "exercise") or is_tagged(cell, "exercise-test"):
            exec(cell.source, space)


@pytest.mark.parametrize("number", METHOD_PAGES)
def test_every_method_page_has_a_graded_exercise_and_a_quiz(number):
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith(number))
    cells = jupytext.read(path).cells
    assert [cell for cell in cells if is_tagged(cell, "exercise")]
    assert [cell for cell in cells if "{quiz}" in cell.source]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestHandedOutNotebook:
    def test_students_get_no_solution(self, path):
        text = nbformat.writes(handouts.plain_notebook(path, "student"))
        for mark in ("{solution}", "BEGIN SOLUTION", "END SOLUTION", "sol-"):
            assert mark not in text
        answers = sum(is_tagged(cell, "exercise") for cell in jupytext.read(path).cells)
        assert text.count("NotImplementedError") == answers

    def test_no_myst_is_left_for_readers_who_see_it_raw(self, path):
        for kind in handouts.HANDOUTS:
            for cell in handouts.plain_notebook(path, kind).cells:
                if cell.cell_type == "markdown":
                    assert not RAW.findall(cell.source), cell.source

    def test_everything_else_is_as_it_was(self, path):
        source = [c for c in jupytext.read(path).cells if c.cell_type == "code"]
        made = [c for c in handouts.plain_notebook(path, "student").cells if c.cell_type == "code"]
        assert len(source) == len(made)
        for before, after in zip(source, made, strict=True):
            if not is_tagged(before, "exercise"):
                assert before.source == after.source

    def test_instructors_see_every_solution_open(self, path):
        made = handouts.plain_notebook(path, "instructor")
        for cell in made.cells:
            assert ":class: dropdown" not in cell.source
            assert "SOLUTION" not in cell.source
            if is_tagged(cell, "exercise"):
                assert not is_tagged(cell, "hide-input")

    def test_notebook_and_grading_metadata_are_valid(self, path):
        made = handouts.plain_notebook(path, "student")
        nbformat.validate(made)
        graded = [cell.metadata.nbgrader for cell in made.cells if "nbgrader" in cell.metadata]
        names = [entry.grade_id for entry in graded]
        assert len(names) == len(set(names))
        for entry in graded:
            assert entry.grade != entry.solution
            assert entry.locked == entry.grade
            assert ("points" in entry) == entry.grade


def test_an_unknown_edition_is_refused(tmp_path):
    with pytest.raises(InputError, match="teacher: no such edition"):
        editions.build_edition("teacher")


def test_without_executed_pages_an_edition_says_what_comes_first(tmp_path, monkeypatch):
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/pages/00_front\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_front.md").write_text("# Front\n")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    with pytest.raises(
        InputError, match=r"00_front.ipynb: this notebook has not been run.*make book"
    ):
        editions.build_edition("student")
    with pytest.raises(InputError, match="no book here yet; make book comes first"):
        published.built_book()


SOURCE = """(page-one)=
# One

$$ a + b = b + a $$ (eq-order)

```{exercise}
:label: ex-one
Add.
```

```{solution} ex-one
:label: sol-one
:class: dropdown
By adding, of course.
```
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A small book that has been run and built."""
    for name in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name)
    shutil.copy(ROOT / "book" / "references.bib", tmp_path / "book")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "book" / "paper_numbers.json").write_text("{}")
    (tmp_path / "book" / "index.md").write_text("# Front\n\n{ref}`page-one`\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n"
        "- file: book/course\n- file: book/pages/01_one\n- file: book/pages/02_two\n"
    )
    lesson = "(page-course)=\n# Course\n\n## Lesson 1: Adding\n\n**Page** {ref}`page-one`.\n"
    (tmp_path / "book" / "course.md").write_text(lesson)
    answer = "def add(a, b):\n    ### BEGIN SOLUTION\n    return a + b\n    ### END SOLUTION"
    cells = [
        nbformat.v4.new_markdown_cell(SOURCE),
        nbformat.v4.new_code_cell(answer, metadata={"tags": ["exercise", "hide-input"]}),
        nbformat.v4.new_code_cell("assert add(1, 2) == 3", metadata={"tags": ["exercise-test"]}),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    (tmp_path / "notebooks").mkdir()
    jupytext.write(notebook, tmp_path / "notebooks" / "01_one.md", fmt="md:myst")
    for cell in cells[1:]:
        cell.execution_count = 1
    (tmp_path / "book" / "runs" / "common").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "book" / "runs" / "common" / "01_one.ipynb")
    notebook.cells = [nbformat.v4.new_markdown_cell("(page-two)=\n# Two\n\nNeeds an hour first.")]
    notebook.metadata["memaa"] = {"needs": ["avatars"]}
    notebook.metadata["jupytext"] = {"notebook_metadata_filter": "memaa"}
    jupytext.write(notebook, tmp_path / "notebooks" / "02_two.md", fmt="md:myst")
    nbformat.write(notebook, tmp_path / "book" / "runs" / "common" / "02_two.ipynb")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    return tmp_path


LAUNCH = re.compile(
    r"https://(?:mybinder\.org/v2/gh/|colab\.research\.google\.com/github/)"
    r"(memaa-companion/memaa-companion/.*?)(?:\?urlpath=lab/tree)?/(book/.*)"
)


def launched(html: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the branch and the file that each launch button of each page opens."""
    found = {}
    for path in html.rglob("*.html"):
        page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        links = [link["href"] for link in page.select("a[href*=binder], a[href*=colab]")]
        if links:
            assert len(links) == 2, links
            found[path.name] = [LAUNCH.fullmatch(link).groups() for link in links]
    return found


@pytest.mark.slow
@pytest.mark.skipif(not HTML.is_dir(), reason="NO BOOK TO TEST: run make book first")
def test_launch_buttons_of_the_book_open_what_is_published(tmp_path):
    tree = published.write_published(tmp_path / "published")
    opened = launched(HTML)
    assert "11_your_own_clip.html" in opened
    for links in opened.values():
        for start, path in links:
            assert start.endswith(f"/{handouts.BRANCH}"), start
            assert (tree / path).is_file(), path


@pytest.mark.slow
def test_editions_and_published_tree_of_a_small_book(project):
    built = {}
    for edition in editions.EDITIONS:
        target = editions.build_edition(edition)
        path = target / "html" / "book" / "pages" / "01_one.html"
        built[edition] = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        assert (target / "notebooks" / "01_one.ipynb").is_file()
        assert not built[edition].select("a[href*=binder], a[href*=colab]")
    assert (target / "nbgrader" / "source" / "lesson-1" / "01_one.ipynb").is_file()
    student, instructor = (page.find("article").get_text() for page in built.values())
    assert "(C.1)" in student
    assert "Exercise 1.1" in student
    names = plain.names_of_book()
    assert (names.titles["page-one"], names.numbers["eq-order"]) == ("One", "C.1")
    assert names.numbers["ex-one"] == "1.1"
    assert "of course" not in student
    assert "return a + b" not in student
    assert "your solution" in student
    assert "assert add" in student
    assert "of course" in instructor
    assert "return a + b" in instructor
    assert "SOLUTION" not in instructor
    assert not built["instructor"].select("article .dropdown, article .tag_hide-input")

    build.build_html(pages.published_runs(), strict=True)
    text = (project / "_build/html/book/pages/01_one.html").read_text("utf-8")
    article = BeautifulSoup(text, "html.parser").find("article")
    assert "SOLUTION" not in article.get_text()
    assert article.select(".dropdown")
    assert article.select(".tag_hide-input")

    with pytest.raises(InputError, match="not a git checkout"):
        published.write_published()
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    (project / ".gitignore").write_text("_build/\nbuild/\nbook/runs/\nbook/pages/\n")
    tree = published.write_published()
    for name in ("_toc.yml", "docs/index.html", "docs/.nojekyll", "book/pages/01_one.ipynb"):
        assert (tree / name).is_file(), name
    for name in ("_build", ".github", "book/pages/02_two.ipynb"):
        assert not (tree / name).exists(), name
    opened = launched(tree / "docs")
    assert set(opened) == {"01_one.html"}, "a page that needs much beforehand has no buttons"
    for start, path in opened["01_one.html"]:
        assert start.endswith(f"/{handouts.BRANCH}"), start
        assert (tree / path).is_file(), path
