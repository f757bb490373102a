"""Compile the library's kernels once, so that every later process runs the same machine code.

Numba compiles a kernel where it is first called and keeps the code beside the source. Code that is
run by the process that compiled it and code that was read back may round the last bit of a number
differently (the kernels allow reassociation), which moves about one pixel in a million by one gray
level. `make` calls this after installing; after a change of a kernel, call it again.

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
