"""What all tests share: one thread a process, a cache of their own, small clips."""

from __future__ import annotations

import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "agg")

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from memaa_lib.clips import Clip

cv2.setNumThreads(1)
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache, or sees the user's data roots."""
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    for dataset in ("SMIC", "CASME2", "SAMM", "FURTHER"):
        monkeypatch.delenv(f"MEMAA_{dataset}_ROOT", raising=False)


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
