"""Each page on a licensee's own tree: it runs, shows no face of it, and says whose clips and scores it has."""

import html
import re
import shutil
from itertools import product
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from memaa_book import guard
from memaa_book.processes import start_server

from memaa_lib import protocol
from memaa_lib._support.cache import kept_arrays
from memaa_lib.baselines import systems
from memaa_lib.datasets import load_index
from memaa_lib.datasets.examples import describe
from memaa_lib.datasets.twins.release import twin_cache_path, write_twin
from memaa_lib.experiments import pretraining
from memaa_lib.experiments.comparison import run_systems
from memaa_lib.paper import DATASETS
from memaa_lib.profiles import profile_named
from tests.photographs import SUBJECTS, photographs

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
# Pages with the answers of all systems or all sets, which are guessed beforehand: data and parameters.
GUESSED = {
    "13": (DATASET, ["fresh=true"]),
    "07": ("composite", []),
    "08": (None, []),  # it takes no data set, because it reads all three
}
# The others never show the reader's data: 00, 12, 15 and 17 ask for the twins, 01, 11, 16 and 18 render faces
# or show what everybody may see, and 09 and 14 read printed numbers and kept results.
SCORES = ("07", "10")  # pages that show kept scores of the twins beside those of the reader's clips
NAME = re.compile(r"sub\d\d/EP\w+|s\d\d/s\d\d_\w+|\d{3}/\d{3}_\w+")
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


def guessed_answers() -> None:
    """Put guesses into the cache where the answers of the systems would be: to learn them takes minutes."""

    def guess(inputs, learner, task):
        drawn = np.random.default_rng(int(task.fingerprint, 16)).integers(
            3, size=len(task.fold.test)
        )
        told = {"fold": task.fold.name, "fingerprint": task.fingerprint, **task.told}
        return {**told, "predictions": drawn.tolist(), "weights_digest": "", "seconds": 0.0}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "run_fold", guess)
        for system in (protocol.Memaa, systems.ComparedSystem):
            patch.setattr(system, "learner", lambda self, features: (features, None))
        patch.setattr(
            systems, "kept_arrays", lambda path, _: kept_arrays(path, lambda: (np.zeros(1),))
        )
        run_systems(DATASET, n_jobs=1)
        protocol.train("composite", n_jobs=1)
        for name, folds in product(DATASETS, ("loso", "cross")):
            protocol.train(name, "memaa", folds, n_jobs=1)


def owner_of(roots, place) -> SimpleNamespace:
    """Somebody who has these sets, with this cache: variables, faces and names of clips."""
    indices = [load_index(name, root) for name, root in roots.items()]
    variables = {f"MEMAA_{name.upper()}_ROOT": str(root) for name, root in roots.items()}
    return SimpleNamespace(
        variables=variables | {"MEMAA_CACHE": str(place)},
        gated=guard.gated_clips(roots),
        own={name for index in indices for name in index["subject"] + "/" + index["clip"]},
        rendered=set(),
    )


@pytest.fixture(scope="module")
def licensee(photographs, tmp_path_factory):
    """Somebody who has a real CASME II of three people; in the cache are a small twin and weights."""
    start_server("memaa_book.warm")  # as for a whole book: ten pages need not load the same models
    place, root = (tmp_path_factory.mktemp(name) for name in ("licensee", "three_people"))
    others = shutil.ignore_patterns(*SUBJECTS[DATASET][3:])
    shutil.copytree(photographs(DATASET).root, root, ignore=others, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMAA_CACHE", str(place))
        twin = write_twin(DATASET, twin_cache_path(DATASET), clips=3, n_jobs=1)
        untaught_weights()
        owner = owner_of({DATASET: root}, place)
        rendered = load_index(DATASET, twin)
    owner.rendered |= set(rendered["subject"] + "/" + rendered["clip"])
    return owner


@pytest.fixture(scope="module")
def owner_of_all(licensee, photographs, tiny_twin):
    """The same person with all three sets; in the cache are guessed answers of the systems."""
    place = licensee.variables["MEMAA_CACHE"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMAA_CACHE", place)
        owner = owner_of({name: photographs(name).root for name in DATASETS}, place)
        for name, value in owner.variables.items():
            patch.setenv(name, value)
        shutil.copytree(tiny_twin, twin_cache_path("smic"))
        guessed_answers()
    owner.rendered |= licensee.rendered
    return owner


def lines(*cells: nbformat.NotebookNode) -> list[str]:
    """What a reader reads of the outputs, a line, caption or row of a table at a time."""
    found = []
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        text = output.get("text") or data.get("text/html") or data.get("text/markdown", "")
        found += [_TAG.sub(" ", part) for part in _BLOCK.split(_UNREAD.sub("", text))]
    return [html.unescape(line).strip() for line in found]


@pytest.fixture
def run(memaa, monkeypatch, tmp_path):
    """Run a page through the command line, in a folder of its own; it is searched for gated faces."""
    searched, check_notebook = [], guard.check_notebook

    def check(path, gated):
        check_notebook(path, gated)
        searched.append(gated.names)

    monkeypatch.setattr(guard, "check_notebook", check)

    def run(page: str, dataset: str | None, parameters: list[str], owner) -> nbformat.NotebookNode:
        for name, value in owner.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        target = tmp_path / "page.ipynb"
        given = [word for parameter in parameters for word in ("-p", parameter)]
        given += ["--dataset", dataset] if dataset else []
        code, _, err = memaa("run", page, *given, "--out", str(target))
        assert code == 0, err
        assert searched == [owner.gated.names]
        return nbformat.read(target, 4)

    return run


def said_of(cells: list[nbformat.NotebookNode], dataset: str, owner) -> list[str]:
    """What a page says, which names its data, complains of nothing and misnames no clip."""
    said = lines(*cells)
    data = data_of(dataset, owner)
    assert any(data in line for line in said), "the page does not say what it was run on"
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    complaints = [output.text for output in outputs if output.get("name") == "stderr"]
    # this release is a part of one, and that is said
    parts = re.compile("have no frame on disk|no folder for this clip|run memaa data check")
    assert [text for text in complaints if not all(map(parts.search, text.splitlines()))] == []
    assert misnamed(said, owner) == []
    return said


def data_of(dataset: str, owner) -> str:
    """Return an owner's data in words."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in owner.variables.items():
            patch.setenv(name, value)
        return describe(load_index(dataset))


def misnamed(said: list[str], licensee) -> list[str]:
    """Lines that pass a clip of the twin off as real, or the other way round."""
    wrong = []
    for line in said:
        names, synthetic = set(NAME.findall(line)), bool(SYNTHETIC.search(line))
        if names & (licensee.own if synthetic else licensee.rendered):
            wrong.append(line)
    return wrong


def first_kept(cells: list[nbformat.NotebookNode]) -> int:
    """Return the place of the first cell that reads kept scores; before it all are the reader's."""
    return next(n for n, cell in enumerate(cells) if READS_REFERENCE.search(cell.source))


def of_nobody(cells: list[nbformat.NotebookNode], data: str) -> list[str]:
    """Scores in cells whose outputs do not say what they are of (a table in print counts)."""
    texts = ["\n".join(filter(None, lines(cell))) for cell in cells]
    whose = re.compile(rf"{SYNTHETIC.pattern}|{re.escape(data)}|Table \d|published", re.IGNORECASE)
    return [text for text in texts if A_SCORE.search(text) and not whose.search(text)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_on_real_clips_and_says_whose_it_shows(page, licensee, run):
    assert not licensee.own & licensee.rendered
    cells = run(page, DATASET, PAGES[page], licensee).cells
    said_of(cells, DATASET, licensee)
    if page in SCORES:
        kept = first_kept(cells)
        own = [line for line in lines(*cells[:kept]) if SYNTHETIC.search(line)]
        # the prose right before a kept run speaks of that
        own += [
            c.source for c in cells[: kept - 1] if c.cell_type == "markdown" and "twin" in c.source
        ]
        assert own == [], "real scores, called a twin's"
        assert of_nobody(cells[kept:], data_of(DATASET, licensee)) == []


@pytest.mark.parametrize("page", GUESSED)
def test_scores_of_all_systems_and_sets_say_whose_they_are(page, owner_of_all, run):
    dataset, parameters = GUESSED[page]
    cells = run(page, dataset, parameters, owner_of_all).cells
    dataset = dataset or "composite"
    said = said_of(cells, dataset, owner_of_all)
    if page in SCORES:
        cells = cells[first_kept(cells) :]
    if page != "08":
        assert of_nobody(cells, data_of(dataset, owner_of_all)) == []
    else:  # all that it shows is the reader's
        said += [cell.source for cell in cells if cell.cell_type == "markdown"]
        assert [line for line in said if SYNTHETIC.search(line)] == []
