"""Publishing: runs woven into pages, tidying, failures, and re-running only what is stale."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from memaa_book import build, cli, handouts, pages, prepare
from memaa_book.build import filtered_toc
from memaa_book.pages import (
    Run,
    RunFailed,
    execute,
    find_notebook,
    published_runs,
    tidy,
)
from memaa_book.weave import weave

from memaa_lib._support.errors import InputError
from memaa_lib.clips import read_clip, sample_video, write_clip
from memaa_lib.datasets.roots import DataRoot
from memaa_lib.experiments import ablations

ROOT = Path(__file__).resolve().parents[2]
HEADER = """---
jupytext:
  formats: ipynb,md:myst
  text_representation:
    extension: .md
    format_name: myst
  notebook_metadata_filter: memaa
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""
ON_TWO = HEADER.replace("---\n\n", "memaa:\n  sets: [smic, samm]\n---\n\n")
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
    """A small book of its own: two notebooks."""
    real = pages.ROOT
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
    entries = [{"file": f"book/pages/{stem}"} for stem in ("09_one", "11_two")]
    toc = {"format": "jb-book", "root": "book/index", "chapters": entries}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(build, "library_fingerprint", lambda: "as it is")
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
            execute(source, project / f"{name}.ipynb", {"count": 2})
        assert (project / "a.ipynb").read_bytes() == (project / "b.ipynb").read_bytes()
        ids = [cell["id"] for cell in nbformat.read(project / "a.ipynb", 4).cells]
        assert ids == ["c000", "c001", "c001-injected", "c002"]

    def test_unknown_and_mistyped_parameters_are_refused_before_anything_runs(self, project):
        source = project / "notebooks" / "09_one.md"
        for parameters, message in [
            ({"datset": "smic"}, "no parameter 'datset'; it has dataset, count"),
            ({"count": "many"}, "expected a whole number such as 3"),
            ({"count": True}, "expected a whole number such as 3"),
        ]:
            with pytest.raises(InputError, match=message):
                execute(source, project / "out.ipynb", parameters)
        assert not (project / "out.ipynb").exists()


@pytest.mark.slow
def test_only_what_is_stale_runs_again(project, capsys):
    first = build.build_book()
    assert first.ok, first.failed
    said = capsys.readouterr().err.splitlines()
    assert " start         html" in said
    assert said[-1].startswith("  done   3/3 html, ")
    assert sorted(first.ran) == ["html", "page:common/09_one", "page:common/11_two"]
    html = project / "_build" / "html"
    page = (html / "book" / "pages" / "09_one.html").read_text("utf-8")
    assert "casme2 3" in page
    assert 'class="eqno">(9)' in page
    before = {path: path.read_bytes() for path in html.rglob("*.html")}

    second = build.build_book()
    assert second.ran == []
    assert len(second.fresh) == 3

    run = Run("common", "09_one")
    text = run.source.read_text("utf-8")
    run.source.write_text(text.replace("$$ a", "A word more.\n\n+++\n\n$$ a"), "utf-8")
    assert build.build_book(draft=True).ran == ["draft"]
    draft = project / "build" / "draft" / "_build" / "html" / "book" / "pages" / "09_one.html"
    assert "A word more." in draft.read_text("utf-8")
    assert {path: path.read_bytes() for path in html.rglob("*.html")} == before
    renewed = run.target.read_bytes()
    assert build.build_book().ran == ["html"]
    assert "A word more." in (html / "book" / "pages" / "09_one.html").read_text("utf-8")
    assert run.target.read_bytes() == renewed

    run.target.unlink()
    write_page(project / "notebooks", "11_two", "print('changed')")
    third = build.build_book()
    assert sorted(third.ran) == ["html", "page:common/09_one", "page:common/11_two"]
    assert run.target.read_bytes() == renewed, "prose put in afterwards is as it is when all is run"
    assert "changed" in (html / "book" / "pages" / "11_two.html").read_text("utf-8")

    run.source.write_text(text, "utf-8")
    write_page(project / "notebooks", "11_two")
    assert sorted(build.build_book().ran) == ["html", "page:common/11_two"]
    assert {path: path.read_bytes() for path in html.rglob("*.html")} == before


@pytest.mark.slow
def test_one_failing_notebook_does_not_stop_the_others(project):
    write_page(project / "notebooks", "09_one", "raise RuntimeError('no luck')")
    report = build.build_book()
    assert list(report.failed) == ["page:common/09_one"]
    assert "no luck" in report.failed["page:common/09_one"]
    assert "page:common/11_two" in report.ran
    assert (project / "build" / "failed" / "common" / "09_one.ipynb").is_file()
    write_page(project / "notebooks", "09_one")
    mended = build.build_book()
    assert mended.ok
    assert "page:common/11_two" in mended.fresh


@pytest.mark.slow
def test_a_broken_reference_fails_the_strict_build(project):
    (project / "book" / "index.md").write_text("# Front\n\n{ref}`page-missing`\n")
    report = build.build_book()
    assert "html" in report.failed


def test_a_signal_that_another_thread_was_given_wakes_the_build():
    waiting, done = build.WakingQueue(), threading.Event()
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    other = threading.Thread(target=done.wait)
    other.start()
    soon = threading.Timer(0.3, signal.pthread_kill, (other.ident, signal.SIGUSR1))
    late = threading.Timer(20, waiting.put, ("a result",))
    soon.start()
    late.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            waiting.get()
        assert late.is_alive(), "it slept until a notebook was done"
    finally:
        late.cancel()
        done.set()
        signal.signal(signal.SIGUSR1, before)


def test_unknown_data_set_is_refused():
    with pytest.raises(InputError, match="fer: unknown data set"):
        build.build_book(["fer"])


# ------------------------------------------------------------------ one page of several runs
def ran(*texts: str, figure: str = "") -> nbformat.NotebookNode:
    """A notebook as it ran on one data set: a title, parameters, and a cell a text."""
    cells = [
        nbformat.v4.new_markdown_cell("# Title", id="c000"),
        nbformat.v4.new_code_cell(
            "a = 1", id="c001", metadata={"tags": ["parameters", "remove-cell"]}
        ),
        nbformat.v4.new_code_cell(
            "a = 2", id="c001-injected", metadata={"tags": ["injected-parameters"]}
        ),
    ]
    for number, text in enumerate(texts, start=2):
        cell = nbformat.v4.new_code_cell("show(a)", id=f"c{number:03d}", execution_count=number)
        cell.outputs = [nbformat.v4.new_output("stream", text=text)] if text else []
        cells.append(cell)
    if figure:
        cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": figure})]
        cell.metadata["mystnb"] = {"figure": {"name": "fig-a", "caption": "A figure."}}
    return nbformat.v4.new_notebook(cells=cells)


def test_what_runs_share_stands_there_once_and_the_defaults_are_shown():
    woven = weave({"casme2": ran("same\n", ""), "smic": ran("same\n", "")})
    assert [cell.source for cell in woven.cells] == ["# Title", "a = 1", "show(a)", "show(a)"]
    assert woven.cells[1].metadata["tags"] == ["parameters"]
    assert [o.text for o in woven.cells[2].outputs] == ["same\n"]


def test_short_texts_that_differ_stand_below_each_other():
    woven = weave({"casme2": ran("1\n"), "smic": ran("2\n3\n"), "composite": ran("4\n")})
    (output,) = woven.cells[2].outputs
    assert output.text.splitlines() == [
        "CASME II   1",
        "SMIC       2",
        "           3",
        "Composite  4",
    ]


def test_outputs_that_differ_become_a_cell_a_set_with_labels_of_their_own():
    runs = {name: ran("", figure=name) for name in ("casme2", "smic")}
    *_, first, second = weave(runs).cells
    assert first.metadata["memaa"] == {"tabs": "c002", "set": "casme2", "title": "CASME II"}
    assert second.metadata["memaa"] == {"tabs": "c002", "set": "smic", "title": "SMIC"}
    assert second.metadata["tags"] == ["remove-input"]
    names = [cell.metadata["mystnb"]["figure"]["name"] for cell in (first, second)]
    assert names == ["fig-a", "fig-a-smic"]


def test_long_texts_that_differ_become_tabs():
    long = "a\nb\nc\nd\n"
    woven = weave({"casme2": ran(long), "smic": ran("1\n")})
    assert [cell.metadata.get("memaa", {}).get("set") for cell in woven.cells[2:]] == [
        "casme2",
        "smic",
    ]


def test_a_run_that_was_left_out_is_named_after_the_title():
    left = nbformat.v4.new_notebook(cells=[ran().cells[0]])
    left.cells.append(nbformat.v4.new_markdown_cell("It needs more.", id="c000-composite"))
    woven = weave({"composite": left, "smic": ran("1\n"), "samm": ran("2\n")})
    assert [cell.source for cell in woven.cells][:2] == ["# Title", "It needs more."]
    assert "SMIC       1" in woven.cells[-1].outputs[0].text


@pytest.mark.slow
def test_a_page_of_two_sets_has_tabs_and_offers_both_notebooks(project):
    code = 'from IPython.display import HTML\nHTML(f"<b>of {dataset}</b>")'
    text = PAGE.replace(HEADER, ON_TWO).format(name="09-one", code=code)
    text = text.replace("count: int", 'root: str = ""\ncount: int')
    (project / "notebooks" / "09_one.md").write_text(text, "utf-8")
    report = build.build_book()
    assert report.ok, report.failed
    assert {"page:smic/09_one", "page:samm/09_one"} <= set(report.ran)
    place = project / "_build" / "html" / "book" / "pages" / "09_one.html"
    page = BeautifulSoup(place.read_text("utf-8"), "html.parser").find("article")
    assert [label["data-sync-id"] for label in page.select("label.sd-tab-label")] == [
        "smic",
        "samm",
    ]
    assert [tab.get_text() for tab in page.select(".sd-tab-content b")] == ["of smic", "of samm"]
    links = page.select("a.download[href]")
    assert [link.get_text() for link in links] == ["SMIC", "SAMM"]
    for link, name in zip(links, ("smic", "samm"), strict=True):
        made = (place.parent / link["href"]).read_bytes()
        assert made == (project / "book" / "runs" / name / "09_one.ipynb").read_bytes()


def test_a_data_set_that_there_is_not_is_named(project):
    text = PAGE.replace(HEADER, ON_TWO.replace("samm", "fer")).format(name="09-one", code="1")
    (project / "notebooks" / "09_one.md").write_text(text, "utf-8")
    with pytest.raises(InputError, match="09_one: its front matter names 'fer'"):
        build.build_book()


def test_a_cell_that_was_not_executed_is_refused(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    with pytest.raises(RunFailed, match="was not executed"):
        tidy(tmp_path / "a.ipynb")


def test_a_book_of_one_data_set_runs_nothing_on_the_others():
    runs = published_runs(["smic"])
    assert {run.dataset for run in runs} == {"smic", "common"}
    kept = list(pages.toc_pages(filtered_toc(pages.read_toc(), runs)))
    assert {"book/pages/05_emotion_avatar", "book/rerun"} <= set(kept)
    some = [run for run in runs if "avatar" not in run.notebook]
    kept = pages.toc_pages(filtered_toc(pages.read_toc(), some))
    assert "book/pages/05_emotion_avatar" not in kept


# ------------------------------------------------------------------ the published branch
def test_the_workflow_pushes_exactly_the_tree(tmp_path):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text("utf-8"))
    make, push = workflow["jobs"]["book"]["steps"][-2:]
    assert make["run"] == "make published"
    assert push["working-directory"] == "_build/published"
    tree, remote = tmp_path / "tree", tmp_path / "remote.git"
    files = {".gitignore": "/docs/\n*.ipynb\n", "docs/.nojekyll": "", "book/runs/a.ipynb": "{}"}
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    environment = os.environ | {"REMOTE": str(remote), "GITHUB_SHA": "abc"}
    for _ in range(2):  # the second time over what is there
        subprocess.run(["bash", "-e", "-c", push["run"]], cwd=tree, env=environment, check=True)
        shutil.rmtree(tree / ".git")
    command = ["git", "ls-tree", "-r", "--name-only", handouts.BRANCH]
    pushed = subprocess.run(command, cwd=remote, check=True, capture_output=True, text=True)
    assert sorted(pushed.stdout.split()) == sorted(files)


def test_buttons_and_colab_name_the_branch_that_is_pushed():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert config["repository"] == {"url": handouts.REPOSITORY, "branch": handouts.BRANCH}


def test_the_cell_for_colab_does_nothing_elsewhere_or_with_the_library(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError(arguments)

    monkeypatch.setattr(subprocess, "run", refuse)
    exec(handouts.ON_COLAB, {})
    monkeypatch.setitem(sys.modules, "google.colab", object())
    exec(handouts.ON_COLAB, {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AssertionError, match="uninstall"):
        exec(handouts.ON_COLAB, {})


# ------------------------------------------------------------------ notebooks and what they need
@pytest.mark.parametrize("name", ["11", "your_own_clip", "11_your_own_clip", "11_your", "your"])
def test_a_notebook_answers_to_number_name_and_stem(name):
    assert find_notebook(name).name == "11_your_own_clip.md"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("99", "99: no such notebook; there are 00_front"),
        ("1", "1: fits several notebooks: 10_what_carries_the_result, 11_your_own_clip"),
        ("the", "the: no such notebook"),
    ],
)
def test_a_name_that_fits_no_or_several_notebooks_lists_them(name, message):
    with pytest.raises(InputError, match=message):
        find_notebook(name)


def test_paths_count_from_where_the_user_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"video": "face.mp4", "root": "~/SAMM", "alpha": 5.0, "dataset": "samm"}
    here = {"video": str(tmp_path / "face.mp4"), "root": str(Path.home() / "SAMM")}
    assert cli.from_here(given) == given | here
    assert cli.from_here({"root": "", "video": 3}) == {"root": "", "video": 3}


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [["video=face.mp4"], ["video=frames", "fps=30"]])
def test_a_clip_of_ones_own_is_taken_as_long_as_it_is(tmp_path, monkeypatch, parameters):
    monkeypatch.chdir(tmp_path)
    face = read_clip(sample_video(), last=4)
    write_clip("face.mp4", face)
    write_clip("frames", face)
    cli.run("11", parameter=parameters, target=Path("out.ipynb"))
    assert f"5 frames at {face.fps if len(parameters) == 1 else 30:.2f} fps" in "".join(
        code_outputs(tmp_path / "out.ipynb")
    )


def test_every_page_names_what_it_needs():
    avatars = ["avatars-smic", "avatars-casme2", "avatars-samm"]
    needs = {f"{run.dataset}/{run.notebook}": prepare.needs_of(run) for run in published_runs()}
    assert needs["samm/05_emotion_avatar"] == ["avatars-samm"]
    assert needs["samm/07_results"] == ["avatars-samm", "pretraining", "scores-samm"]
    assert needs["composite/07_results"] == [*avatars, "pretraining", "scores-composite"]
    within = [f"scores-{name}" for name in ("smic", "casme2", "samm")]
    assert needs["common/08_cross_dataset"] == [*avatars, "pretraining", "cross", *within]
    assert needs["common/10_what_carries_the_result"] == [
        "avatars-smic",
        "pretraining",
        "scores-smic",
        "arms-smic",
    ]
    assert needs["common/13_compared_systems"] == [*avatars, "twin-smic"]
    assert needs["common/00_front"] == ["twin-casme2", "twin-smic", "twin-samm"]
    assert needs["common/09_audit"] == []


@pytest.mark.parametrize("need", ["avatar", "avatars-fer", "pretraining", "scores-fer", "twin"])
def test_a_need_that_there_is_not_is_named(project, need):
    text = HEADER.replace("---\n\n", f"memaa:\n  needs: [{need}]\n---\n\n")
    (project / "notebooks" / "09_one.md").write_text(f"{text}# One\n", "utf-8")
    with pytest.raises(InputError, match=rf"09_one: its front matter needs '{need}'"):
        build.build_book()


# ------------------------------------------------------------------ a reader's own data
@pytest.fixture
def real(monkeypatch, tmp_path):
    """Say of some data sets that the user has them; nobody's files are read."""

    def have(*names: str) -> None:
        for name in names:
            (tmp_path / name).mkdir()
            monkeypatch.setenv(f"MEMAA_{name.upper()}_ROOT", str(tmp_path / name))
        monkeypatch.setattr(
            prepare, "find_root", lambda name: DataRoot(tmp_path, name not in names)
        )

    return have


def page(notebook: str, dataset: str = "common") -> Run:
    """Return a published page."""
    return Run(dataset, find_notebook(notebook).stem)


@pytest.mark.parametrize(
    ("sets", "asked", "expected"),
    [
        ((), (), ""),
        (("casme2",), (), "casme2"),
        (("smic", "samm"), (), "smic"),
        (("smic", "samm"), ("samm",), "samm"),
        (("smic", "casme2", "samm"), (), "composite"),
        (("smic", "casme2", "samm"), ("casme2",), "casme2"),
    ],
)
def test_arms_and_systems_run_on_the_reader_s_own_data(real, sets, asked, expected):
    real(*sets)
    # of the pages that stand in the book once; the others, as the repaired avatar, ask for the twins
    common = [run for run in published_runs() if run.dataset == "common"]
    given = {run.notebook[:2]: prepare.dataset_of(run, asked) for run in common}
    assert {number for number, data in given.items() if data} == (
        {"10", "13"} if expected else set()
    )
    assert given["10"] == given["13"] == expected
    needs = prepare.needs_of(page("compared"), asked)
    assert (f"systems-{expected}" in needs) == bool(expected)


@pytest.mark.parametrize("kept", [True, False])
def test_arms_are_trained_only_where_no_reference_run_of_the_data_is_kept(monkeypatch, kept):
    trained = []
    monkeypatch.setattr("memaa_lib.datasets.load_index", lambda name: name)
    monkeypatch.setattr("memaa_lib.datasets.examples.describe", lambda index: f"{index} of mine")
    monkeypatch.setattr(
        ablations,
        "matching_reference",
        lambda *asked: (
            {"arm": asked} if kept and asked == ("smic of mine", "smic", "loso", "laptop") else {}
        ),
    )
    monkeypatch.setattr(ablations, "run_arm", lambda arm, *_, **__: trained.append(arm))
    prepare.prepare("arms-smic", "laptop")
    assert trained == ([] if kept else list(ablations.QUICK))


def test_who_has_one_set_waits_for_avatars_of_that_set_only(real):
    real("casme2")
    needs = [prepare.needs_of(run, ["casme2"]) for run in published_runs(["casme2"])]
    made = {need for some in needs if not prepare.why_left_out(some) for need in some}
    assert {need for need in made if need.startswith("avatars")} == {"avatars-casme2"}


@pytest.mark.parametrize("sets", [("casme2",), ("smic", "samm")])
def test_what_needs_all_three_sets_is_left_out_where_some_are_twins(real, sets, monkeypatch):
    real(*sets)
    out = {
        (run.dataset, run.notebook[:2])
        for run in published_runs()
        if prepare.why_left_out(prepare.needs_of(run))
    }
    assert out == {("composite", "07"), ("common", "08")}
    monkeypatch.setenv("MEMAA_ALLOW_MIXED", "1")
    assert not prepare.why_left_out(prepare.needs_of(page("cross")))


@pytest.mark.parametrize("sets", [(), ("smic", "casme2", "samm")])
def test_nothing_is_left_out_where_all_sets_are_alike(real, sets):
    real(*sets)
    assert not any(prepare.why_left_out(prepare.needs_of(run)) for run in published_runs())


def test_a_page_that_is_left_out_says_so_under_its_own_title(project):
    run = Run("smic", "09_one")
    pages.leave_out(run, "It needs more.")
    head, said = (cell.source for cell in nbformat.read(run.target, 4).cells)
    assert head == "(page-09-one)=\n# Page 09-one"
    assert said == "*This page (SMIC) was left out.* It needs more."


def test_the_paired_notebook_keeps_what_its_page_needs(tmp_path):
    source = tmp_path / "07_results.md"
    shutil.copy(find_notebook("results"), source)
    before = source.read_text("utf-8")
    notebook = jupytext.read(source)
    jupytext.write(notebook, source.with_suffix(".ipynb"))
    jupytext.write(jupytext.read(source.with_suffix(".ipynb")), source, fmt="md:myst")
    sets = ["composite", "smic", "casme2", "samm"]
    assert notebook.metadata["memaa"] == {"sets": sets, "needs": ["scores"]}
    assert source.read_text("utf-8") == before
