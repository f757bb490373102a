"""Publishing: labels, tidying, failures, and re-running only what is stale."""

import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib import publish
from memaa_lib.publish import Run, RunFailed, execute, filtered_toc, label_suffix, relabel, tidy
from memaa_lib.storage import InputError

HEADER = """---
jupytext:
  formats: ipynb,md:myst
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""
PAGE = (
    HEADER
    + """(page-{name})=
# Page {name}

$$ a = b $$ (eq-{name})

See {{eq}}`eq-{name}`.

```{{code-cell}} ipython3
:tags: [parameters]

dataset: str = "casme2"   # which
count: int = 3
```

```{{code-cell}} ipython3
{code}
```
"""
)


def write_page(folder: Path, name: str, code: str = "print(dataset, count)") -> Path:
    path = folder / f"{name}.md"
    path.write_text(PAGE.format(name=name.replace("_", "-"), code=code), "utf-8")
    return path


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A small book of its own: two notebooks, one of them on two data sets."""
    real = publish.ROOT
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    for name in ("_ext", "_static"):
        shutil.copytree(real / "book" / name, tmp_path / "book" / name)
    shutil.copy(real / "book" / "references.bib", tmp_path / "book")
    shutil.copy(real / "_config.yml", tmp_path)
    (tmp_path / "book" / "paper_numbers.json").write_text('{"eq-09-one": "9"}')
    (tmp_path / "book" / "index.md").write_text("# Front\n\n{ref}`page-09-one`\n")
    write_page(tmp_path / "notebooks", "09_one")
    write_page(tmp_path / "notebooks", "11_two")
    pages = ["book/runs/common/09_one", "book/runs/common/11_two"]
    toc = {"format": "jb-book", "root": "book/index", "chapters": [{"file": p} for p in pages]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(publish, "library_fingerprint", lambda: "as it is")
    monkeypatch.setenv("MEMAA_PROJECT", str(tmp_path))
    return tmp_path


def code_outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, 4).cells
    return [o["text"] for c in cells if c.cell_type == "code" for o in c.outputs if "text" in o]


@pytest.mark.slow
class TestExecute:
    def test_parameters_reach_the_notebook_and_strings_stay_data(self, project):
        text = "'); import os; os.remove('x"
        execute(
            project / "notebooks" / "09_one.md",
            project / "out.ipynb",
            {"dataset": text, "count": 7},
        )
        assert code_outputs(project / "out.ipynb") == [f"{text} 7\n"]

    def test_a_notebook_that_raises_is_kept_and_leaves_no_page(self, project):
        source = write_page(project / "notebooks", "09_bad", "1 / 0")
        kept = project / "failed" / "09_bad.ipynb"
        with pytest.raises(RunFailed, match=r"ZeroDivisionError.*kept at"):
            execute(source, project / "out.ipynb", {}, failed=kept)
        assert kept.is_file()
        assert not (project / "out.ipynb").exists()
        assert not list(project.glob(".out*"))

    def test_the_same_run_gives_the_same_bytes(self, project):
        source = project / "notebooks" / "09_one.md"
        for name in ("a", "b"):
            execute(source, project / f"{name}.ipynb", {"count": 2}, title="samm", suffix="-samm")
        assert (project / "a.ipynb").read_bytes() == (project / "b.ipynb").read_bytes()
        text = (project / "a.ipynb").read_text("utf-8")
        assert "# Page 09-one: SAMM" in text
        assert "(page-09-one-samm)=" in text
        assert "(eq-09-one-samm)" in text
        assert "{eq}`eq-09-one-samm`" in text

    def test_unknown_and_mistyped_parameters_are_refused_before_anything_runs(self, project):
        source = project / "notebooks" / "09_one.md"
        for parameters, message in [
            ({"datset": "smic"}, "no parameter 'datset'; it has dataset, count"),
            ({"count": "many"}, "expected a int"),
            ({"count": True}, "expected a int"),
        ]:
            with pytest.raises(InputError, match=message):
                execute(source, project / "out.ipynb", parameters)
        assert not (project / "out.ipynb").exists()


@pytest.mark.slow
def test_only_what_is_stale_runs_again(project):
    first = publish.build_book()
    assert first.ok, first.failed
    assert sorted(first.ran) == ["html", "page:common/09_one", "page:common/11_two"]
    html = project / "_build" / "html"
    page = (html / "book" / "runs" / "common" / "09_one.html").read_text("utf-8")
    assert "casme2 3" in page
    assert 'class="eqno">(9)' in page
    before = {path: path.read_bytes() for path in html.rglob("*.html")}

    second = publish.build_book()
    assert second.ran == []
    assert len(second.fresh) == 3

    write_page(project / "notebooks", "11_two", "print('changed')")
    third = publish.build_book()
    assert sorted(third.ran) == ["html", "page:common/11_two"]
    assert "changed" in (html / "book" / "runs" / "common" / "11_two.html").read_text("utf-8")

    write_page(project / "notebooks", "11_two")
    assert publish.build_book().ok
    assert {path: path.read_bytes() for path in html.rglob("*.html")} == before


@pytest.mark.slow
def test_one_failing_notebook_does_not_stop_the_others(project):
    write_page(project / "notebooks", "09_one", "raise RuntimeError('no luck')")
    report = publish.build_book()
    assert list(report.failed) == ["page:common/09_one"]
    assert "no luck" in report.failed["page:common/09_one"]
    assert "page:common/11_two" in report.ran
    assert (project / "build" / "failed" / "common" / "09_one.ipynb").is_file()
    write_page(project / "notebooks", "09_one")
    mended = publish.build_book()
    assert mended.ok
    assert "page:common/11_two" in mended.fresh


@pytest.mark.slow
def test_a_broken_reference_fails_the_strict_build(project):
    (project / "book" / "index.md").write_text("# Front\n\n{ref}`page-missing`\n")
    report = publish.build_book()
    assert "html" in report.failed


def test_unknown_data_set_is_refused():
    with pytest.raises(InputError, match="fer: unknown data set"):
        publish.build_book(["fer"])


@given(st.lists(st.sampled_from(["eq-a", "eq-a-b", "fig-a", "sec-x"]), min_size=1, unique=True))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_relabelling_touches_labels_defined_here_and_no_others(labels):
    definitions = "\n\n".join(f"({label})=" for label in labels)
    uses = " ".join(f"{{ref}}`{label}` {{ref}}`other-{label}`" for label in labels)
    cell = nbformat.v4.new_markdown_cell(f"{definitions}\n\n{uses} {{ref}}`elsewhere`")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    relabel(notebook, "-smic")
    for label in labels:
        assert f"({label}-smic)=" in cell.source
        assert f"{{ref}}`{label}-smic`" in cell.source
        assert f"{{ref}}`other-{label}`" in cell.source
    assert "{ref}`elsewhere`" in cell.source


def test_the_first_run_of_a_notebook_keeps_its_labels():
    runs = [Run("casme2", "05"), Run("smic", "05"), Run("smic", "07")]
    assert [label_suffix(run, runs) for run in runs] == ["", "-smic", ""]


def test_a_cell_that_was_not_executed_is_refused(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    with pytest.raises(RunFailed, match="was not executed"):
        tidy(tmp_path / "a.ipynb")


def test_a_book_of_one_data_set_leaves_out_the_others_pages():
    toc = publish.read_toc()
    runs = publish.published_runs(["smic"])
    pages = list(publish.toc_pages(filtered_toc(toc, runs)))
    assert "book/runs/smic/05_emotion_avatar" in pages
    assert not [page for page in pages if page.startswith("book/runs/samm/")]
    assert "book/rerun" in pages
