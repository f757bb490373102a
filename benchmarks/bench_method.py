"""Measure the method's stages against literal versions and peers; write benchmarks/results.md.

Usage: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_method.py [--quick]

Times are CPU seconds of one thread, medians over interleaved runs. Ratios compare figures of this
one run. The peers need their own environment and are left out without it (vidmag's licence is
non-commercial; nothing of the peers is a dependency of the package, or copied):

    python -m venv benchmarks/.venv-peers
    CUDACXX=/bin/false benchmarks/.venv-peers/bin/pip install vidmag==0.2.0 torch==2.14.1
    benchmarks/.venv-peers/bin/pip install --no-deps eulerian-magnification==0.22
    benchmarks/.venv-peers/bin/pip install opencv-python matplotlib
"""

import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np
from live import live_times
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.avatar import clip_to_avatar
from memaa_lib.clips import Clip, read_clip, sample_video
from memaa_lib.figures import grating, grating_shift
from memaa_lib.magnification import band_gains, magnify, magnify_literally, temporal_filter
from memaa_lib.registration import find_landmarks, register
from memaa_lib.texture import Scoring, texture_intensity, texture_intensity_literally

cv2.setNumThreads(1)
HERE = Path(__file__).parent
DATA = HERE / ".data"
PEER = HERE / ".venv-peers" / "bin" / "python"


def face_video(height: int, width: int, n_frames: int) -> NDArray[np.uint8]:
    """A real face, cut to the wanted proportions and size, and played to and fro."""
    frames = read_clip(sample_video()).frames
    last, (rows, columns) = len(frames) - 1, frames.shape[1:3]
    cut = max(0, columns - round(rows * width / height)) // 2
    there_and_back = np.abs((np.arange(n_frames) + last) % (2 * last) - last)
    return np.stack(
        [
            cv2.resize(frames[i, :, cut : columns - cut], (width, height), interpolation=3)
            for i in there_and_back
        ]
    )


def cpu_seconds(
    *functions: Callable[..., Any], repeats: int = 7, arguments: tuple[Any, ...] = ()
) -> list[float]:
    """Median CPU seconds of each function; the runs take turns."""
    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function(*arguments)
    for _ in range(repeats):
        for measured, function in zip(times, functions, strict=True):
            start = time.process_time()
            function(*arguments)
            measured.append(time.process_time() - start)
    return [float(np.median(measured)) for measured in times]


def peer(
    name: str, frames: NDArray[np.uint8], fps: float, repeats: int
) -> tuple[float, float, Any]:
    """Median CPU seconds, growth of the peak memory (MiB) and result of a peer."""
    DATA.mkdir(exist_ok=True)
    np.save(DATA / "clip.npy", frames)
    files = (DATA / "clip.npy", DATA / "out.npy")
    command = [str(part) for part in (PEER, HERE / "peers.py", name, *files, fps, repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *seconds, peak = (float(line) for line in done.stdout.split())
    return float(np.median(seconds)), peak, np.load(files[1])


STRIPES = 40.0  # px


def stripes(amplitude_px: float) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Stripes that swing at 4 Hz, filmed at 100 fps in colour, and their movement (px)."""
    movement = amplitude_px * np.sin(2 * np.pi * 4 * np.arange(100) / 100)
    gray = grating(movement, STRIPES, contrast=60)
    return movement, np.repeat(gray[..., None], 3, axis=-1)


def measured_gain(magnified: NDArray[np.uint8], filmed: NDArray[np.uint8]) -> float:
    """How many times as far as filmed the stripes swing, after the filter has settled."""
    shifts = (grating_shift(clip[25:, ..., 1].copy(), STRIPES) for clip in (magnified, filmed))
    after, before = (float(np.std(shift)) for shift in shifts)
    return after / before


def predicted_gain(spatial: float, movement: NDArray[np.float64], filtered: bool = True) -> float:
    """The same in closed form: ``movement + spatial gain * filtered movement``."""
    passed = temporal_filter("iir", 100, len(movement), per_frame_r=(0.4, 0.05)) @ movement
    whole = movement + spatial * (passed if filtered else movement)
    return float(np.std(whole[25:]) / np.std(movement[25:]))


def spatial_gain(gains: NDArray[np.float64]) -> float:
    """Sum of the bands' gains, each times the band's share of a wave as long as the stripes."""
    left = 1.0
    total = 0.0
    for level, gain in enumerate(gains[:-1]):
        after = left * np.cos(2.0**level * np.pi / STRIPES) ** 8
        total += float(gain) * (left - after)
        left = after
    return total + float(gains[-1]) * left


def stencil_rate() -> float:
    """Floating-point operations a second of a compiled weighted sum of three rows, in the cache.

    Four operations for three values read and one written: what the stages of the pyramid are like.
    """

    def blend(a: Any, b: Any, c: Any, out: Any, times: int) -> None:
        for _ in range(times):
            for x in range(out.shape[0]):
                out[x] = (a[x] + c[x]) * np.float32(1 / 64) + b[x] * np.float32(6 / 64)

    compiled = numba.njit(fastmath=True)(blend)
    rows = [np.ones(480, np.float32) for _ in range(4)]
    times = 20000
    (seconds,) = cpu_seconds(lambda: compiled(*rows, times), repeats=9)
    return 4 * 480 * times / seconds


# Operations for each byte of the frames, counted from the formulas of the linear method: halving
# (3 down the columns, 1.5 along the rows, 1.25 to mix the colours), two recursions (2.75), the
# smaller levels (1.5); and for each alpha collapsing (2.7), doubling, adding and clipping (10.5).
SHARED_OPERATIONS, OPERATIONS_AN_ALPHA = 9.0, 13.2


def copy_seconds(n_bytes: int) -> float:
    """Seconds to read and write so many bytes once, from a large copy."""
    source = np.ones(1 << 27, np.uint8)
    target = np.empty_like(source)
    (seconds,) = cpu_seconds(lambda: np.copyto(target, source), repeats=5)
    return seconds * n_bytes / (2 * source.size)


def peak_memory_mib(shape: tuple[int, int, int], alphas: list[float], method: str) -> float:
    """Growth of the peak memory while frames ``(T, H, W)`` in colour are magnified, MiB."""
    code = f"""
import numpy as np
from pathlib import Path
from memaa_lib.clips import Clip
from memaa_lib.magnification import magnify

def peak():  # not ru_maxrss, which a child inherits from its parent
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

magnify(Clip(np.zeros((3, 64, 64, 3), np.uint8), 200), 10, method="{method}")
frames = np.zeros({(*shape, 3)}, np.uint8)
frames += (np.arange({shape[0]}) // 2).astype(np.uint8)[:, None, None, None]
before = peak()
magnify(Clip(frames, 200), {alphas if len(alphas) > 1 else alphas[0]}, method="{method}")
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    quick = "--quick" in sys.argv
    repeats = 3 if quick else 9
    lines = [
        "# What the method costs",
        "",
        f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, OpenCV {cv2.__version__}; CPU time of one thread, medians of "
        f"{repeats} interleaved runs.",
        "",
        "Gain: how many times as far stripes of 40 px swing that swung by 0.06 px at 4 Hz, measured "
        "from their phase, and what the program's own bands and filter should give.",
        "Peak: memory above the input, the result included.",
        "Floor: the roofline, that is the larger of two times: to read and write the bytes once at "
        "the bandwidth of a large copy, and to do the operations of the formulas at the rate of a "
        "compiled three-term sum in the cache. Both rates are measured in the same run.",
        "",
        "| what | ms | ratio | peak, MiB | gain measured / predicted | note |",
        "|---|---|---|---|---|---|",
    ]

    def row(
        what: str, seconds: float, ratio: str = "", note: str = "", peak: str = "", gain: str = ""
    ) -> None:
        lines.append(f"| {what} | {seconds * 1e3:.1f} | {ratio} | {peak} | {gain} | {note} |")
        print(lines[-1], flush=True)

    small, vga = (60, 200, 160), (300, 480, 640)
    frames = face_video(200, 160, 60)
    clip = Clip(frames, 200)
    options: dict[str, Any] = {"per_frame_r": (0.4, 0.05), "clamp_gains": False}
    alphas = [5.0, 10.0, 15.0]
    one, three, literal = cpu_seconds(
        lambda: magnify(clip, 10, **options),
        lambda: magnify(clip, alphas, **options),
        lambda: magnify_literally(clip, 10, **options),
        repeats=repeats,
    )
    copied = copy_seconds(2 * frames.nbytes)
    operations = [SHARED_OPERATIONS + count * OPERATIONS_AN_ALPHA for count in (1, 3)]
    worked_out = operations[0] * frames.nbytes / stencil_rate()
    ours = magnify(clip, 10, **options).frames
    off = np.abs(ours.astype(int) - magnify_literally(clip, 10, **options).frames)
    movement, stripe_frames = stripes(0.06)
    stripe_clip = Clip(stripe_frames, 100)
    linear = predicted_gain(spatial_gain(band_gains(192, 192, 10, clamp_gains=False)), movement)

    def gains(magnified: NDArray[np.uint8], predicted: float = linear) -> str:
        return f"{measured_gain(magnified, stripe_frames):.2f} / {predicted:.2f}"

    row(
        "magnify 200 x 160 x 60, colour, one alpha", one, "1",
        f"floor {max(copied, worked_out) * 1e3:.1f} ms ({one / max(copied, worked_out):.1f} x): "
        f"bytes {copied * 1e3:.1f} ms, operations {worked_out * 1e3:.1f} ms",
        f"{peak_memory_mib(small, [10.0], 'linear'):.0f}",
        gains(magnify(stripe_clip, 10, **options).frames),
    )  # fmt: skip
    row("... three alphas", three, f"{three / one:.2f}",
        f"of one alpha; of its operations {operations[1] / operations[0]:.2f}",
        f"{peak_memory_mib(small, alphas, 'linear'):.0f}")  # fmt: skip
    row("... magnify_literally", literal, f"{literal / one:.1f}",
        f"bytes that differ: {(off > 0).mean():.1e}",
        gain=gains(magnify_literally(stripe_clip, 10, **options).frames))  # fmt: skip
    phase_gain = predicted_gain(10.0, movement)
    phase: dict[str, Any] = {"per_frame_r": (0.4, 0.05), "method": "phase"}
    (seconds,) = cpu_seconds(lambda: magnify(clip, 10, **phase), repeats=3)
    row("... method='phase'", seconds, f"{seconds / one:.0f}", "",
        f"{peak_memory_mib(small, [10.0], 'phase'):.0f}",
        gains(magnify(stripe_clip, 10, **phase).frames, phase_gain))  # fmt: skip
    (seconds,) = cpu_seconds(lambda: magnify(clip, alphas, **phase), repeats=3)
    row("... method='phase', three alphas", seconds, f"{seconds / one:.0f}")
    vga_gray = Clip(face_video(480, 640, 24)[..., 1].copy(), 200)
    (seconds,) = cpu_seconds(lambda: magnify(vga_gray, 10, **phase), repeats=3)
    row("magnify 640 x 480, gray, method='phase', a frame", seconds / 24)
    if PEER.exists():
        bands = np.array([0.0, 0, 10, 0])  # the one band that eulerian-magnification amplifies
        peers = {
            "vidmag 0.2.0, NumPy": ("vidmag-numpy", linear),
            "vidmag 0.2.0, PyTorch, one thread": ("vidmag-torch", linear),
            "vidmag 0.2.0, phase": ("vidmag-phase", phase_gain),
            "eulerian-magnification 0.22": (
                "eulerian-magnification", predicted_gain(spatial_gain(bands), movement, False)
            ),
        }  # fmt: skip
        for what, (name, predicted) in peers.items():
            try:
                seconds, peak, theirs = peer(name, frames, 200, 3)
                gain = gains(peer(name, stripe_frames, 100, 1)[2], predicted)
            except subprocess.CalledProcessError as failed:
                print(f"{name}: {failed.stderr.strip().splitlines()[-1]}")
                continue
            off = np.abs(ours.astype(int) - theirs)
            note = f"bytes that differ: {(off > 0).mean():.1e}, at most {off.max()}"
            same_work = name.startswith("vidmag") and name != "vidmag-phase"
            row(f"... {what}", seconds, f"{seconds / one:.0f}", note if same_work else "",
                f"{peak:.0f}", gain)  # fmt: skip
        odd = face_video(187, 151, 20)
        off = np.abs(
            magnify(Clip(odd, 30), 10, **options).frames.astype(int)
            - peer("vidmag-numpy", odd, 30, 1)[2]
        )
        lines.append(
            f"| ... vidmag 0.2.0, NumPy, 187 x 151 x 20 | | | | | bytes that differ: "
            f"{(off > 0).mean():.1e}, at most {off.max()} |"
        )
    large = Clip(face_video(480, 640, 300), 200)
    n_bytes = large.frames.nbytes / 2**20
    for some in ([10.0], alphas):
        (seconds,) = cpu_seconds(
            magnify, arguments=(large, some if len(some) > 1 else some[0]), repeats=3
        )
        row(f"magnify 640 x 480 x 300, {len(some)} alpha{'s' * (len(some) > 1)}", seconds, "",
            f"{300 / seconds:.0f} frames/s; the result is {len(some) * n_bytes:.0f} MiB",
            f"{peak_memory_mib(vga, some, 'linear'):.0f}")  # fmt: skip
    del large

    gray = Clip(face_video(280, 230, 70)[..., 1].copy(), 200)
    full = Scoring(size=(280, 230))
    (fast,) = cpu_seconds(lambda: texture_intensity(gray, full), repeats=repeats)
    start = time.process_time()
    texture_intensity_literally(gray, full)
    literal = time.process_time() - start
    row("score 280 x 230 x 70", fast, "1")
    row("... texture_intensity_literally", literal, f"{literal / fast:.0f}", "once")

    face = Clip(face_video(340, 280, 70), 200)
    marked = replace(face, landmarks=find_landmarks(face))
    chain, marks, scores, warps = cpu_seconds(
        lambda: clip_to_avatar(face, (0, 5, 10, 15)),
        lambda: find_landmarks(face),
        lambda: texture_intensity(face),
        lambda: register(marked),
        repeats=1 if quick else 3,
    )
    row(
        "clip to four avatars, 340 x 280 x 70",
        chain,
        "",
        f"70 frames once: dlib {marks * 1e3:.0f} ms, scoring {scores * 1e3:.0f} ms, "
        f"warping {warps * 1e3:.0f} ms",
    )
    live = {60.0: face_video(240, 320, 240), 25.0: face_video(480, 640, 100)}
    try:
        for fps, work, handed, shown in live_times(live):
            height, width = live[fps].shape[1:3]
            row(f"live magnifier in Chromium, {width} x {height} at {fps:g} frames/s", work / 1e3,
                note=f"wall time of its worker; {shown:.0f} of the {handed:.0f} frames/s that the browser "
                "handed over were shown")  # fmt: skip
    except InputError as missing:  # no browser; what was measured is written down all the same
        print(f"live magnifier left out: {missing}")
    print(f"load {os.getloadavg()[0]:.1f}")
    (HERE / "results.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
