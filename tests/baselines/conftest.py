"""Small clips on disk, as rows of an index."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from memaa_lib.clips import write_image


def smooth_noise(shape: tuple[int, ...], seed: int = 0, sigma: float = 2.0) -> np.ndarray:
    """Gray texture with structure of a few pixels."""
    noise = np.random.default_rng(seed).normal(size=shape)
    blurred = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.clip(128 + 60 * blurred / blurred.std(), 0, 255).astype(np.uint8)


@pytest.fixture
def index(tmp_path) -> pd.DataFrame:
    """Nine clips of three subjects."""
    return write_clips(tmp_path / "release")


def write_clips(release: Path) -> pd.DataFrame:
    """Write nine clips of three subjects: a texture that moves in a direction that goes with the class."""
    rows = []
    steps = {"negative": (0, 0.3), "positive": (0.3, 0), "surprise": (-0.3, 0)}
    for number, (label, step) in enumerate(
        (label, step) for _ in range(3) for label, step in steps.items()
    ):
        folder = release / f"clip{number}"
        face = smooth_noise((68, 56), seed=number)
        for t in range(12):
            peak = 6 - abs(t - 6)
            move = np.float32([[1, 0, step[0] * peak], [0, 1, step[1] * peak]])
            frame = cv2.warpAffine(face, move, (56, 68), borderMode=cv2.BORDER_REFLECT)
            write_image(folder / f"img{t + 1}.png", frame)
        rows.append(
            {
                "dataset": "smic",
                "subject": f"s{number // 3 + 1:02d}",
                "clip": f"c{number}",
                "label": label,
                "onset": 1,
                "apex": pd.NA if number == 0 else 7,
                "apex_or_middle": 6 if number == 0 else 7,
                "offset": 12,
                "fps": 100.0,
                "path": str(folder),
                "n_frames": 12,
            }
        )
    return pd.DataFrame(rows)
