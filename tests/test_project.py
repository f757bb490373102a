"""The project itself: versions agree, notebook pairs are in sync, nothing that is read is run."""

import ast
import re
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from jupytext.cli import jupytext as jupytext_command
from memaa_book.pages import PAGES, known_parameters, published_runs, read_toc, toc_pages

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
LONGEST_HELPER = 16  # lines
CONDA_NAMES = {"pytorch-cpu": "torch"}


def lock() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def pins() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return dict(pin.split("==") for group in [project["dependencies"], *extras] for pin in group)


def test_every_direct_dependency_is_pinned_and_locked():
    locked = lock()
    assert {name: locked.get(name) for name in pins()} == pins()


def test_environment_yml_holds_the_locks_versions():
    content = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    conda = [entry for entry in content if isinstance(entry, str) and "=" in entry]
    pip = next(entry["pip"] for entry in content if isinstance(entry, dict))
    found = dict(entry.split("=") for entry in conda)
    assert found.pop("python") == "3.11"
    found = {CONDA_NAMES.get(name, name): version for name, version in found.items()}
    found |= dict(entry.split("==") for entry in pip if "==" in entry)
    locked = lock()
    assert found == {name: locked[name] for name in found}
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*asked["dependencies"], *asked["optional-dependencies"]["book"]]
    assert set(found) == {pin.split("==")[0] for pin in needed}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_pair_is_in_sync(self, path):
        text, paired = jupytext.read(path), nbformat.read(path.with_suffix(".ipynb"), 4)
        assert [(c.cell_type, c.source) for c in text.cells] == [
            (c.cell_type, c.source) for c in paired.cells
        ]

    def test_committed_pair_holds_no_output(self, path):
        for cell in nbformat.read(path.with_suffix(".ipynb"), 4).cells:
            if cell.cell_type == "code":
                assert cell.outputs == []
                assert cell.execution_count is None

    def test_text_survives_the_round_trip(self, path):
        assert jupytext_command(["--test", "--to", "ipynb", str(path)]) == 0

    def test_has_a_label_and_ends_with_its_provenance(self, path):
        notebook = jupytext.read(path)
        assert re.match(r"\(page-[a-z-]+\)=\n# ", notebook.cells[0].source)
        assert notebook.cells[-1].source.splitlines()[-1].startswith(("figures.provenance", ")"))
        assert "figures.provenance" in notebook.cells[-1].source

    def test_defines_no_method(self, path):
        """A page may name a small step of its own experiment; anything longer is a method."""
        for cell in jupytext.read(path).cells:
            if cell.cell_type == "code":
                for node in ast.parse(cell.source).body:
                    assert not isinstance(node, ast.ClassDef), "classes belong in memaa_lib"
                    if isinstance(node, ast.FunctionDef):
                        assert node.end_lineno - node.lineno < LONGEST_HELPER, node.name


def test_no_two_pages_define_the_same_function():
    names: list[str] = []
    for path in NOTEBOOKS:
        code = "\n".join(c.source for c in jupytext.read(path).cells if c.cell_type == "code")
        names += re.findall(r"^def (\w+)", code, re.MULTILINE)
    assert len(names) == len(set(names)), "what two pages need belongs in memaa_lib"


def test_every_page_of_the_contents_has_a_source():
    for page in toc_pages(read_toc()):
        if page.startswith(PAGES):
            assert (ROOT / "notebooks" / f"{Path(page).name}.md").is_file(), page
        else:
            assert (ROOT / f"{page}.md").is_file(), page


def test_every_notebook_is_published():
    assert {run.notebook for run in published_runs()} == {path.stem for path in NOTEBOOKS}


def test_pages_of_a_data_set_take_the_data_set_as_a_parameter():
    for run in published_runs():
        if run.dataset != "common":
            assert {"dataset", "root"} <= set(known_parameters(run.source)), run


def test_all_three_twins_have_the_pages_of_the_method():
    runs = {(run.dataset, run.notebook[:2]) for run in published_runs()}
    for dataset in ("smic", "casme2", "samm"):
        assert {(dataset, f"0{n}") for n in range(2, 8)} <= runs


def test_nothing_that_is_read_is_run():
    """Ruff's rules S see the rest: NumPy and PyTorch unpickle only if told to, cells can call shells."""
    folders = ("memaa_lib", "book", "tools", "benchmarks")
    sources = [*(p for name in folders for p in (ROOT / name).rglob("*.py")), *NOTEBOOKS]
    for path in sources:
        text = path.read_text("utf-8")
        assert not re.search(r"allow_pickle\s*=\s*True|weights_only\s*=\s*False", text), path
    for path in NOTEBOOKS:
        code = "\n".join(c.source for c in jupytext.read(path).cells if c.cell_type == "code")
        assert not re.search(r"^[!%]", code, re.MULTILINE), path
