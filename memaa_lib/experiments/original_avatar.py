"""The Emotion Avatar Image of Yang and Bhanu (2012), the idea the paper starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError, check_count
from memaa_lib.avatar import whole_levels
from memaa_lib.clips import Clip, resize


def original_emotion_avatar(
    clips: Sequence[Clip], *, levels: int = 2, size: int = 224
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make the Emotion Avatar Images of Yang and Bhanu (2012), the idea the paper starts from.

    Every frame of every clip is brought onto one face, the avatar reference, by dense flow; a
    clip's avatar is the mean of its frames, and the mean of all avatars is the next level's
    reference. The paper keeps the mean and replaces the rest by one affine transform onto the
    clip's own first frame, which leaves the person in the picture.

    Parameters
    ----------
    clips
        M clips of cropped faces; sizes may differ.
    levels
        How often the reference is made anew.
    size
        Sides of the avatars, px.

    Returns
    -------
    avatars
        ``uint8`` ``(M, size, size, 3)``.
    reference
        ``uint8`` ``(size, size, 3)``, the last level's.

    Raises
    ------
    InputError
        If there is no clip.

    Notes
    -----
    Yang and Bhanu use SIFT flow; here it is dense inverse search (Kroeger et al. 2016), which is
    free, fast and as exact on small movements. They also raise the resolution; this does not.

    Examples
    --------
    >>> clips = [Clip(np.full((2, 60, 50), level, np.uint8), fps=100) for level in (10, 30)]
    >>> avatars, reference = original_emotion_avatar(clips, levels=1, size=32)
    >>> avatars.shape, int(reference[0, 0, 0])
    ((2, 32, 32, 3), 20)
    """
    check_count("levels", levels)
    check_count("size", size)
    if not clips:
        raise InputError("no clips to make avatars of; expected at least one")
    stacks = []
    for clip in clips:
        colour = clip.frames if clip.is_colour else np.repeat(clip.frames[..., None], 3, axis=3)
        stacks.append(np.stack([resize(frame, size, size) for frame in colour]))
    reference = whole_levels(np.mean([stack.mean(axis=0) for stack in stacks], axis=0))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for _ in range(levels):
        means = []
        for stack in stacks:
            moved = [_onto_reference(frame, reference, flow) for frame in stack]
            means.append(np.mean(moved, axis=0, dtype=np.float64))
        reference = whole_levels(np.mean(means, axis=0))
    return np.stack([whole_levels(mean) for mean in means]), reference


def _onto_reference(
    frame: NDArray[np.uint8], reference: NDArray[np.uint8], flow: Any
) -> NDArray[np.uint8]:
    """Frame with every pixel of the reference fetched from where the flow finds it."""
    both = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (reference, frame)]
    rows, columns = np.indices(both[0].shape, np.float32)
    field = flow.calc(both[0], both[1], None)
    moved = cv2.remap(
        frame,
        columns + field[..., 0],
        rows + field[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(moved, np.uint8)
