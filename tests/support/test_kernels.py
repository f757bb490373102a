"""Compiled loops stay in their arrays, and give the same bytes whoever compiled them."""

import os
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from memaa_lib._support import kernels

MAGNIFY = """
import hashlib
import numpy as np
from memaa_lib.clips import Clip
from memaa_lib.magnification import magnify
from memaa_lib.texture import texture_intensity

digest = hashlib.sha256()
generator = np.random.default_rng(0)
for shape in {shapes}:
    steps = np.cumsum(generator.normal(0, 2, shape), axis=0)
    clip = np.clip(128 + steps + generator.normal(0, 30, shape[1:]), 0, 255).astype(np.uint8)
    for frames in (clip, np.ascontiguousarray(clip[..., 0])):
        for options in ({{}}, {{"temporal": "ideal"}}, {{"method": "phase"}}):
            clips = magnify(Clip(frames, 100), (3, 5, 10, 15), **options)
            digest.update(np.stack([clip.frames for clip in clips]).tobytes())
    digest.update(texture_intensity(Clip(clip[:20, ..., 1].copy(), 100), size=shape[1:3]).tobytes())
print(digest.hexdigest())
"""
# millions of pixels: with reordered sums one in a million differed
LARGE = [(60, 200, 160, 3)]
# a level of an odd and of an even number of rows and columns at each place of the pyramid
SMALL = [(5, height, width, 3) for height, width in ((10, 10), (13, 11), (23, 30), (40, 37))]


def digest(shapes: list[tuple[int, ...]] = LARGE, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", MAGNIFY.format(shapes=shapes)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.strip()) == 64
    return done.stdout


# compiling takes a quarter of a minute, so one test asks both; what this processor gets is kept beside the code
@pytest.mark.slow
def test_compiled_anew_for_a_processor_without_wide_vectors_or_read_it_gives_the_same_bytes(
    tmp_path,
):
    oldest = {"NUMBA_CACHE_DIR": str(tmp_path)}
    if platform.machine() == "x86_64":
        oldest |= {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}
    compiled = digest(**oldest)
    assert any(tmp_path.rglob("*.nbc")), "the compiled code was not kept"
    assert digest(**oldest) == compiled
    assert digest() == compiled


@pytest.mark.slow
def test_no_index_lies_outside_its_array(tmp_path):
    # not optimized, as that has no say in which index is asked for, and is compiled sooner
    checked = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "0"}
    assert digest(SMALL, **checked) == digest(SMALL)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [10, 11, 16, 23, 32, 47, 64, 85])
@pytest.mark.parametrize("height", [10, 13])
def test_nothing_is_written_beside_an_array(height: int, width: int, channels: int) -> None:
    guards: list[NDArray[Any]] = []

    def guarded(shape: tuple[int, ...], kind: type) -> NDArray[Any]:
        size = int(np.prod(shape))
        memory = np.full(size + 400, 77, kind)
        guards.extend((memory[:200], memory[200 + size :]))
        array = memory[200 : 200 + size].reshape(shape)
        array[...] = 0
        return array

    half = ((height + 1) // 2, (width + 1) // 2, channels)
    generator = np.random.default_rng(0)
    frames = generator.integers(0, 256, (2, height, width, channels), dtype=np.uint8)
    kernels.magnify_recursively(
        frames,
        np.eye(channels, dtype=np.float32),
        np.array([[1, 0, 0], [0, 0, 0]], np.float32),  # all of the frame passes the filter
        guarded((3, *half), np.float32),
        guarded((3, *half), np.float32),
        np.array([[0, 4, 5, 0], [0, 0, 0, 0]], np.float32),
        out := guarded((2, *frames.shape), np.uint8),
    )
    assert all((guard == 77).all() for guard in guards)
    assert (out[1] == frames).all()
    assert (out[0] != frames).mean() > 0.5
