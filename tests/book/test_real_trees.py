"""Each page on a licensee's own tree: it runs, shows no face of it, and says whose clips and scores it has."""

import html
import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from memaa_book import guard

from memaa_lib.datasets import load_index
from memaa_lib.datasets.examples import describe
from memaa_lib.datasets.twins.release import twin_cache_path, write_twin
from memaa_lib.experiments import pretraining
from memaa_lib.profiles import profile_named
from tests.photographs import photographs

__all__ = ["photographs"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("photographs")]
DATASET = "casme2"
PAGES = {  # and what makes them quick
    "02": ["n_clips=2"],
    "03": ["n_clips=2"],
    "04": ["n_clips=2"],
    "05": [],
    "06": [],
    "07": [],
    "10": [],
}
SCORES = ("07", "10")  # pages that show kept scores of the twins beside those of the reader's clips
NAME = re.compile(r"sub\d\d/EP\w+")
SYNTHETIC = re.compile(r"twin|synthetic", re.IGNORECASE)
READS_REFERENCE = re.compile(r"(?:read|pooled)_reference\(")
A_SCORE = re.compile(r"UF1|\d\.\d{3}")
_UNREAD = re.compile(r"data:[\w/+.-]+;base64,[\w+/=]+|<style.*?</style>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_BLOCK = re.compile(r"</?(?:p|div|tr|table|caption|figcaption|script)\b[^>]*>|\n")


def untaught_weights() -> None:
    """Put random weights into the cache where those of the pre-training would be: that takes minutes."""
    seen = np.zeros((1, 97, 97, 3), np.uint8), np.zeros(1, np.int64), np.ones((1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "pretraining_set", lambda *_, **__: seen)
        patch.setattr("memaa_lib.network.train", lambda *a, **_: SimpleNamespace(state=a[3]))
        pretraining.weights_for(profile_named("laptop"))


@pytest.fixture(scope="module")
def licensee(photographs, tmp_path_factory):
    """The variables of somebody who has a real CASME II; in the cache are a small twin and weights."""
    place = tmp_path_factory.mktemp("licensee")
    root = photographs(DATASET).root
    variables = {"MEMAA_CACHE": str(place), f"MEMAA_{DATASET.upper()}_ROOT": str(root)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMAA_CACHE", str(place))
        twin = write_twin(DATASET, twin_cache_path(DATASET), clips=3, n_jobs=1)
        untaught_weights()
        gated = guard.gated_clips({DATASET: root})
    index = load_index(DATASET, root)
    rendered = load_index(DATASET, twin)
    return SimpleNamespace(
        variables=variables,
        gated=gated,
        data=describe(index),
        own=set(index["subject"] + "/" + index["clip"]),
        rendered=set(rendered["subject"] + "/" + rendered["clip"]),
    )


def lines(*cells: nbformat.NotebookNode) -> list[str]:
    """What a reader reads of the outputs, a line, caption or row of a table at a time."""
    found = []
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        text = output.get("text") or data.get("text/html") or data.get("text/markdown", "")
        found += [_TAG.sub(" ", part) for part in _BLOCK.split(_UNREAD.sub("", text))]
    return [html.unescape(line).strip() for line in found]


@pytest.fixture
def run(memaa, monkeypatch, licensee, tmp_path):
    """Run a page through the command line, in a folder of its own."""

    def run(page: str) -> nbformat.NotebookNode:
        for name, value in licensee.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        target = tmp_path / "page.ipynb"
        parameters = [word for parameter in PAGES[page] for word in ("-p", parameter)]
        code, _, err = memaa("run", page, "--dataset", DATASET, *parameters, "--out", str(target))
        assert code == 0, err
        guard.check_notebook(target, licensee.gated)
        return nbformat.read(target, 4)

    return run


def misnamed(said: list[str], licensee) -> list[str]:
    """Lines that pass a clip of the twin off as real, or the other way round."""
    wrong = []
    for line in said:
        names, synthetic = set(NAME.findall(line)), bool(SYNTHETIC.search(line))
        if names & (licensee.own if synthetic else licensee.rendered):
            wrong.append(line)
    return wrong


def of_nobody(cells: list[nbformat.NotebookNode], licensee) -> list[str]:
    """Scores in cells of kept runs whose outputs do not say what they are of (a table in print counts)."""
    texts = ["\n".join(filter(None, lines(cell))) for cell in cells]
    whose = re.compile(rf"{SYNTHETIC.pattern}|{re.escape(licensee.data)}|Table \d", re.IGNORECASE)
    return [text for text in texts if A_SCORE.search(text) and not whose.search(text)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_on_real_clips_and_says_whose_it_shows(page, licensee, run):
    assert not licensee.own & licensee.rendered
    cells = run(page).cells
    said = lines(*cells)
    assert licensee.data in said, "the page does not say what it was run on"
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    complaints = [output.text for output in outputs if output.get("name") == "stderr"]
    # this release is a part of one, and that is said
    assert [text for text in complaints if "have no frame on disk" not in text] == []
    assert misnamed(said, licensee) == []
    if page in SCORES:
        kept = next(n for n, cell in enumerate(cells) if READS_REFERENCE.search(cell.source))
        own = [line for line in lines(*cells[:kept]) if SYNTHETIC.search(line)]
        # the prose right before a kept run speaks of that
        own += [
            c.source for c in cells[: kept - 1] if c.cell_type == "markdown" and "twin" in c.source
        ]
        assert own == [], "real scores, called a twin's"
        assert of_nobody(cells[kept:], licensee) == []
