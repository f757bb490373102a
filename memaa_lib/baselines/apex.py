"""A single frame: the apex, found in the frequency domain (after Li, Huang and Zhao 2018).

They ask whether one frame is enough. The apex is the frame of greatest texture intensity, the same
A_i with which the paper removes frames (Eq. 9). They describe it with a deep network trained on
faces; here uniform local binary patterns in 5 x 5 blocks describe it, so that nothing has to be
downloaded. Such a picture shows who it is as clearly as what the face does.

A_i is scored with the mask of this paper on a face of 170 x 140 px. The program of Li, Huang and
Zhao has a cut-off of 31 in place of 30 and a mask whose middle is one bin off, never scores the last
frame, and as released adds up 9 of the 36 blocks; in clips shorter than its window of 61 frames that
can make another frame the apex.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip, spotted_apex
from memaa_lib.baselines.lbp_top import block_histograms
from memaa_lib.texture import lbp_map

# The eight neighbours of texture.lbp_map, row by row, in the order in which they go round the pixel
AROUND = (0, 1, 2, 4, 7, 6, 5, 3)
UNIFORM_CODES = 59  # 58 uniform patterns, and one code for all others


def uniform_codes() -> NDArray[np.uint8]:
    """Return the table from the 256 patterns to 59: one a uniform pattern, one for all others.

    A pattern is uniform if its bits change at most twice as one goes round the pixel once. Uniform
    patterns get 0 to 57 in ascending order, all others 58.
    """
    bits = (np.arange(256)[:, None] >> np.array(AROUND)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    table = np.full(256, UNIFORM_CODES - 1, np.uint8)
    uniform = np.flatnonzero(changes <= 2)
    table[uniform] = np.arange(len(uniform))
    return table


def picture_features(face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 1,475 features of a gray image: uniform local binary patterns in 5 x 5 blocks."""
    codes = uniform_codes()[lbp_map(face[None])]
    return block_histograms(codes[None], UNIFORM_CODES).ravel()


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return the features of a clip: those of its spotted apex frame."""
    return picture_features(clip.faces[spotted_apex(clip.faces)])


SYSTEMS = (System("apex", "single apex frame", "after Li, Huang and Zhao 2018", clip_features),)
