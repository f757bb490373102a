"""Run another program's magnification on one clip; executed in .venv-peers, never imported.

Usage: python peers.py PEER CLIP.npy OUT.npy FPS REPEATS

Prints the CPU seconds of each run and, last, by how many MiB the peak memory grew.
"""

import contextlib
import io
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ALPHA, R_FAST, R_SLOW, BAND = 10.0, 0.4, 0.05, (0.5, 10.0)
LINEAR = {"alpha": ALPHA, "lambda_c": 16.0, "r1": R_FAST, "r2": R_SLOW, "chrom_attenuation": 0.1}


def vidmag_numpy(frames, fps):
    from vidmag.cpu.magnify import motion_lpyr_iir_core

    return motion_lpyr_iir_core(frames[..., ::-1].copy(), fps, **LINEAR)[..., ::-1]


def vidmag_torch(frames, fps):
    import torch
    from vidmag.backend.registry import select

    torch.set_num_threads(1)
    backend = select("torch")[1]
    given = np.ascontiguousarray(frames[..., ::-1])
    return np.asarray(backend.motion_lpyr_iir_core(given, fps, **LINEAR))[..., ::-1]


def vidmag_phase(frames, fps):
    from vidmag.cpu.magnify import phase_core

    given = frames[..., ::-1].copy()
    return phase_core(given, fps, alpha=ALPHA, r1=R_FAST, r2=R_SLOW, scales=5)[..., ::-1]


def eulerian_magnification(frames, fps):
    from eulerian_magnification import eulerian_magnification as magnify

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it takes the real part of complex numbers
        result = magnify(frames / 255.0, fps, *BAND, ALPHA)
    return np.clip(np.rint(result * 255), 0, 255).astype(np.uint8)


def peak_mib():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main():
    name, clip, target, fps, repeats = sys.argv[1:]
    frames = np.load(clip)
    peer = globals()[name.replace("-", "_")]
    peer(frames[:8], float(fps))  # imports and first calls
    before = peak_mib()
    for _ in range(int(repeats)):
        start = time.process_time()
        magnified = peer(frames, float(fps))
        print(time.process_time() - start)
    print(peak_mib() - before)
    np.save(target, np.ascontiguousarray(magnified))


if __name__ == "__main__":
    main()
