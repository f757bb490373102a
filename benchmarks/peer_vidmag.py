"""Run vidmag's NumPy path on one clip; executed in benchmarks/.venv-peers, never imported.

Usage: python peer_vidmag.py CLIP.npy OUT.npy FPS REPEATS; prints CPU seconds, one line a run.
"""

import sys
import time

import numpy as np
from vidmag.cpu.magnify import motion_lpyr_iir_core

clip, target, fps, repeats = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
bgr = np.ascontiguousarray(np.load(clip)[..., ::-1])
for _ in range(repeats):
    start = time.process_time()
    magnified = motion_lpyr_iir_core(
        bgr, fps, alpha=10.0, lambda_c=16.0, r1=0.4, r2=0.05, chrom_attenuation=0.1
    )
    print(time.process_time() - start)
np.save(target, magnified[..., ::-1])
