"""Compiled loops stay in their arrays, and give the same bytes whoever compiled them."""

import os
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from memaa_lib import _kernels

DIGEST = """
import hashlib
import numpy as np
from memaa_lib.magnification import magnify
from memaa_lib.texture import texture_intensity

generator = np.random.default_rng(0)
shape = (60, 200, 160, 3)  # millions of pixels: with reordered sums one in a million differed
steps = np.cumsum(generator.normal(0, 2, shape), axis=0)
clip = np.clip(128 + steps + generator.normal(0, 30, shape[1:]), 0, 255).astype(np.uint8)
digest = hashlib.sha256()
for frames in (clip, np.ascontiguousarray(clip[..., 0])):
    for temporal in ("iir", "ideal"):
        digest.update(magnify(frames, 100, (3, 5, 10, 15), temporal=temporal).tobytes())
digest.update(texture_intensity(clip[:20, ..., 1].copy()).tobytes())
print(digest.hexdigest())
"""


def digest(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.strip()) == 64
    return done.stdout


@pytest.mark.slow
def test_compiling_and_reading_the_compiled_code_give_the_same_bytes(tmp_path):
    compiled = digest(NUMBA_CACHE_DIR=str(tmp_path))
    assert any(tmp_path.rglob("*.nbc")), "the compiled code was not kept"
    assert digest(NUMBA_CACHE_DIR=str(tmp_path)) == compiled


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names processors of this kind")
def test_a_processor_without_wide_vectors_gives_the_same_bytes(tmp_path):
    oldest = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}
    assert digest(NUMBA_CACHE_DIR=str(tmp_path), **oldest) == digest()


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

    size = _kernels.pyramid_size(height, width, channels)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    generator = np.random.default_rng(0)
    frame = generator.integers(0, 256, (height, width * channels), dtype=np.uint8)
    pyramid = guarded((size,), np.float32)
    band = rows * columns * channels
    pyramid[:band] = generator.normal(0, 9, band)
    out = guarded((2, 1, height, width * channels), np.uint8)
    rests = guarded((2, size), np.float32)
    lines = guarded((2, _kernels.LINES, _kernels.line_length(width, channels)), np.float32)
    gains = np.array([[4.0, 5.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    _kernels.add_amplified(frame, channels, pyramid, gains, out, 0, rests, lines)
    assert all((guard == 77).all() for guard in guards)
    assert (out[1, 0] == frame).all()
    assert (out[0, 0] != frame).mean() > 0.5
