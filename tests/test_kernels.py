"""Compiled loops give the same bytes, whether a process compiled them or read them from the cache."""

import os
import subprocess
import sys

import pytest

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


@pytest.mark.slow
def test_compiling_and_reading_the_compiled_code_give_the_same_bytes(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    digests = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.append(done.stdout)
        assert any(tmp_path.rglob("*.nbc")), "the compiled code was not kept"
    assert len(digests[0].strip()) == 64
    assert digests[0] == digests[1]
