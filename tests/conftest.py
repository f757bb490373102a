"""What all tests share: one thread a process, a cache of their own, small clips, a tiny network, `memaa`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "agg")

import cv2
import numpy as np
import pandas as pd
import pytest
from memaa_book import cli
from numpy.typing import NDArray
from rich.console import Console

from memaa_lib import cli as library_cli
from memaa_lib.clips import Clip
from memaa_lib.datasets import roots
from memaa_lib.paper import CLASSES
from memaa_lib.profiles import TrainingProfile

cv2.setNumThreads(1)
ROOT = Path(__file__).resolve().parents[1]

# The paper's profile, but for its size: what every test that trains starts from.
TINY = TrainingProfile(
    name="tiny",
    image_size=32,
    initialisation="scratch",
    batch_size=4,
    epochs=2,
    precision="float32",
    learning_rate=1e-2,
)


def pytest_collection_finish(session):
    """Refuse a pytest whose tests pytest-xdist parts though they share what takes long to make."""
    if getattr(session.config.option, "loadgroup", False):
        grouped = (item for item in session.items if item.get_closest_marker("xdist_group"))
        if any("@" not in item.nodeid for item in grouped):
            raise pytest.UsageError("groups of tests are ignored: install the pinned pytest")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory):
    """No test reads or writes the user's cache or sees the user's data roots.

    Commands export roots and permissions to the pages they run, and set the log to tell; nothing of it
    stays. (``monkeypatch`` is not asked for here: it must be undone before the variables are put back.)
    """
    base = tmp_path_factory.getbasetemp()
    with mock.patch.dict(os.environ), mock.patch.object(roots, "ROOT", base):
        os.environ["MEMAA_CACHE"] = str(base / "cache")
        for dataset in ("SMIC", "CASME2", "SAMM", "FURTHER"):
            os.environ.pop(f"MEMAA_{dataset}_ROOT", None)
        yield
    for name in library_cli.TOLD:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def grating() -> NDArray[np.uint8]:
    """Gray clip of a moving grating, 20 frames of 40 x 48."""
    phase = 0.3 * np.sin(2 * np.pi * np.arange(20) / 20)
    x = np.arange(48)
    rows = 128 + 60 * np.sin(2 * np.pi * x[None] / 16 + phase[:, None])
    return np.repeat(np.rint(rows).astype(np.uint8)[:, None], 40, axis=1)


@pytest.fixture
def colour_clip(grating) -> Clip:
    """The grating as a colour clip of 100 fps."""
    return Clip(np.repeat(grating[..., None], 3, axis=3), fps=100, name="grating")


def make_index(subjects_of: dict[str, Sequence[str]], clips: int = 3) -> pd.DataFrame:
    """An index of some clips a subject, whose classes take turns."""
    rows = [
        (dataset, subject, f"{subject}_{clip}", CLASSES[clip % 3])
        for dataset, subjects in subjects_of.items()
        for subject in subjects
        for clip in range(clips)
    ]
    return pd.DataFrame(rows, columns=["dataset", "subject", "clip", "label"])


@pytest.fixture(scope="session")
def tiny_twin(tmp_path_factory) -> Path:
    """A SMIC twin of six clips, to be read: it takes long, and all processes of a run share it."""
    from memaa_lib.datasets.twins.release import write_twin

    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    # processes that come at the same time make one twin (tests/long/test_faults.py)
    return write_twin("smic", place / "tiny-twin", clips=6, n_jobs=1)


@pytest.fixture(scope="session")
def start():
    """Untrained weights of a ResNet-34."""
    from memaa_lib.network import scratch_weights  # here, because torch takes seconds to import

    return scratch_weights(0)


def shallow(outputs: int = 3):
    """One block a stage instead of ResNet-34's 3, 4, 6, 3: the same code, a quarter of the work."""
    from torchvision.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=outputs)


@pytest.fixture(scope="module")
def shallow_network():
    """A network of one block a stage, in this process."""
    from memaa_lib import network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "_resnet34", shallow)
        network._network.cache_clear()
        yield
    network._network.cache_clear()


@pytest.fixture
def cluster():
    """Address of a Dask scheduler whose workers are threads of this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as one:
        yield one.scheduler_address


@pytest.fixture
def memaa(monkeypatch, capsys):
    """Run a command line; return its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["memaa", *arguments])
        # the consoles keep the streams they were made with; make them anew for this test
        for module in (library_cli, cli):
            monkeypatch.setattr(module, "out", Console(soft_wrap=True))
            monkeypatch.setattr(module, "err", Console(stderr=True, soft_wrap=True))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        code = ended.value.code
        return (0 if code is None else int(code)), written.out, written.err

    return run
