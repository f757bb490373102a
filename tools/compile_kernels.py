"""Compile the library's kernels once, so that no first run has to wait for it.

Numba compiles a kernel where it is first called and keeps the code beside the source; that takes
about 20 s, in every process that comes before the first one is done. `make` calls this after
installing. Without it everything works, and gives the same bytes.

    python tools/compile_kernels.py
"""

from __future__ import annotations

import numpy as np

from memaa_lib.magnification import magnify
from memaa_lib.texture import texture_intensity


def main() -> None:
    """Call every kernel on a tiny clip."""
    generator = np.random.default_rng(0)
    colour = generator.integers(0, 256, (12, 64, 56, 3), dtype=np.uint8)
    for frames in (colour, np.ascontiguousarray(colour[..., 0])):
        for alpha in (10.0, (5.0, 10.0)):
            for temporal in ("iir", "onset", "ideal"):
                magnify(frames, 30, alpha, temporal=temporal)
            magnify(frames, 30, alpha, band_hz=(1.0, 5.0), order=2)
            magnify(frames, 30, alpha, method="phase")
    texture_intensity(generator.integers(0, 256, (12, 170, 140), dtype=np.uint8))
    print("kernels compiled")


if __name__ == "__main__":
    main()
