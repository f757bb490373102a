"""Compile the library's kernels once, so that no first run has to wait for it.

Numba compiles a kernel where it is first called and keeps the code beside the source; that takes
about 20 s, in every process that comes before the first one is done. `make` calls this after
installing. Without it everything works, and gives the same bytes.

    python tools/compile_kernels.py
"""

from __future__ import annotations

import numpy as np

from memaa_lib.clips import Clip
from memaa_lib.magnification import magnify
from memaa_lib.texture import texture_intensity


def main() -> None:
    """Call every kernel on a tiny clip."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 56, 3), dtype=np.uint8)
    clip = Clip(noise, fps=30)
    magnify(clip, 10)
    magnify(clip, 10, temporal="ideal")
    magnify(clip, 10, method="phase")
    texture_intensity(clip)
    print("kernels compiled")


if __name__ == "__main__":
    main()
