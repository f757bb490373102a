"""Measure the method's stages against literal versions and peers; write benchmarks/results.md.

Usage: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_method.py [--quick]

Times are CPU seconds of one thread, medians over interleaved runs. Ratios compare figures of this
one run. The peer needs its own environment: python -m venv benchmarks/.venv-peers, then
benchmarks/.venv-peers/bin/pip install vidmag==0.2.0 (its licence is non-commercial; nothing of it
is a dependency of the package).
"""

import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.avatar import clip_to_avatar
from memaa_lib.clips import Clip, read_clip, sample_video
from memaa_lib.magnification import band_gains, magnify, pyramid_levels
from memaa_lib.registration import find_landmarks
from memaa_lib.texture import lbp_map, texture_intensity

cv2.setNumThreads(1)
HERE = Path(__file__).parent
DATA = HERE / ".data"
PEER = HERE / ".venv-peers" / "bin" / "python"


def face_video(height: int, width: int, n_frames: int) -> NDArray[np.uint8]:
    """A real face, resized to the wanted size and played to and fro."""
    frames = read_clip(sample_video()).frames
    order = np.abs(
        (np.arange(n_frames) + len(frames) - 1) % (2 * len(frames) - 2) - len(frames) + 1
    )
    return np.stack([cv2.resize(frames[i], (width, height), interpolation=3) for i in order])


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


def opencv_laplacian(frames: NDArray[np.uint8], r1: float = 0.4, r2: float = 0.05) -> Any:
    """The method as one would write it with OpenCV: every band of every frame, three channels."""
    rgb_to_yiq = np.array(
        [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32
    )
    yiq_to_rgb = np.linalg.inv(rgb_to_yiq) @ np.diag([1, 0.1, 0.1])
    levels = pyramid_levels(*frames.shape[1:3])
    gains = band_gains(*frames.shape[1:3], 10)
    fast, slow, result = [], [], np.empty_like(frames)
    for t, frame in enumerate(frames):
        image = cv2.transform(frame.astype(np.float32), rgb_to_yiq)
        bands = []
        for _ in range(levels - 1):
            smaller = cv2.pyrDown(image)
            bands.append(image - cv2.pyrUp(smaller, dstsize=image.shape[1::-1]))
            image = smaller
        bands.append(image)
        if t == 0:
            fast, slow = [b.copy() for b in bands], [b.copy() for b in bands]
        total = None
        for level in range(levels - 1, -1, -1):
            fast[level] += np.float32(r1) * (bands[level] - fast[level])
            slow[level] += np.float32(r2) * (bands[level] - slow[level])
            band = np.float32(gains[level]) * (fast[level] - slow[level])
            up = 0 if total is None else cv2.pyrUp(total, dstsize=band.shape[1::-1])
            total = band + up
        change = cv2.transform(total, yiq_to_rgb.astype(np.float32))
        cv2.add(frame, change, dst=result[t], dtype=cv2.CV_8U)
    return result


def literal_intensity_seconds(gray: NDArray[np.uint8], windows: int = 4) -> float:
    """CPU seconds of the literal scoring, scaled up from a few windows."""
    codes = np.pad(lbp_map(gray).astype(float), ((30, 30), (0, 0), (0, 0)), mode="edge")
    rows, columns = (codes.shape[1] - 1) // 6, (codes.shape[2] - 1) // 6
    bins = [np.fft.fftfreq(n, 1 / n) for n in (61, rows, columns)]
    mask = np.sqrt(bins[0][:, None, None] ** 2 + bins[1][:, None] ** 2 + bins[2] ** 2) >= 30
    start = time.process_time()
    for i in np.linspace(0, len(gray) - 1, windows).astype(int):
        for r in range(6):
            for c in range(6):
                block = codes[i : i + 61, r * rows : (r + 1) * rows]
                block = block[:, :, c * columns : (c + 1) * columns]
                np.abs(np.fft.fftn(block) * mask).sum()
    return (time.process_time() - start) / windows * len(gray)


def peer(frames: NDArray[np.uint8], fps: float, repeats: int) -> tuple[float, Any]:
    """Median CPU seconds and result of vidmag's NumPy path."""
    DATA.mkdir(exist_ok=True)
    np.save(DATA / "clip.npy", frames)
    command = [PEER, HERE / "peer_vidmag.py", DATA / "clip.npy", DATA / "out.npy", fps, repeats]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True
    )
    return float(np.median([float(line) for line in done.stdout.split()])), np.load(
        DATA / "out.npy"
    )


def copy_seconds(n_bytes: int) -> float:
    """Seconds to read and write so many bytes once, from a large copy."""
    source = np.ones(1 << 27, np.uint8)
    target = np.empty_like(source)
    (seconds,) = cpu_seconds(lambda: np.copyto(target, source), repeats=5)
    return seconds * n_bytes / (2 * source.size)


def peak_memory_mib(n_alphas: int) -> float:
    """Growth of the peak memory while 300 frames of 640 x 480 are magnified, MiB."""
    code = f"""
import numpy as np
from pathlib import Path
from memaa_lib.magnification import magnify

def peak():  # not ru_maxrss, which a child inherits from its parent
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

magnify(np.zeros((3, 64, 64, 3), np.uint8), 200, 10)
frames = np.zeros((300, 480, 640, 3), np.uint8)
frames += (np.arange(300, dtype=np.uint8) // 2)[:, None, None, None]
before = peak()
magnify(frames, 200, [10.0] * {n_alphas})
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
        "| what | ms | ratio | note |",
        "|---|---|---|---|",
    ]

    def row(what: str, seconds: float, ratio: str = "", note: str = "") -> None:
        lines.append(f"| {what} | {seconds * 1e3:.1f} | {ratio} | {note} |")
        print(lines[-1], flush=True)

    clip = face_video(200, 160, 60)
    options: dict[str, Any] = {"per_frame_r": (0.4, 0.05), "clamp_gains": False}
    one, three, plain = cpu_seconds(
        lambda: magnify(clip, 200, 10, **options),
        lambda: magnify(clip, 200, [5, 10, 15], **options),
        lambda: opencv_laplacian(clip),
        repeats=repeats,
    )
    floor = copy_seconds(2 * clip.nbytes)
    ours = magnify(clip, 200, 10, **options)
    off = np.abs(ours.astype(int) - opencv_laplacian(clip))
    row(
        "magnify 200 x 160 x 60, colour, one alpha",
        one,
        "1",
        f"copying its bytes: {floor * 1e3:.1f} ms",
    )
    row("... three alphas", three, f"{three / one:.2f}", "of one alpha")
    row(
        "... OpenCV, band by band",
        plain,
        f"{plain / one:.1f}",
        f"bytes that differ: {(off > 0).mean():.1e}",
    )
    if PEER.exists():
        seconds, theirs = peer(clip, 200, repeats)
        off = np.abs(ours.astype(int) - theirs)
        note = f"bytes that differ: {(off > 0).mean():.1e}, at most {off.max()}"
        row("... vidmag 0.2.0, NumPy", seconds, f"{seconds / one:.0f}", note)
        odd = face_video(187, 151, 20)
        off = np.abs(magnify(odd, 30, 10, **options).astype(int) - peer(odd, 30, 1)[1])
        print(f"odd size 187 x 151: {(off > 0).mean():.1e} of bytes differ, at most {off.max()}")
    vga = face_video(480, 640, 300)
    (seconds,) = cpu_seconds(magnify, arguments=(vga, 200, 10), repeats=3)
    row("magnify 640 x 480 x 300, one alpha", seconds, "",
        f"{300 / seconds:.0f} frames/s, peak {peak_memory_mib(1):.0f} MiB above the input "
        f"(the result is {vga.nbytes / 2**20:.0f})")  # fmt: skip
    del vga

    gray = face_video(280, 230, 70)[..., 1].copy()
    (fast,) = cpu_seconds(lambda: texture_intensity(gray), repeats=repeats)
    literal = literal_intensity_seconds(gray)
    row("score 280 x 230 x 70", fast, "1")
    row("... 3-D FFT of every block and window", literal, f"{literal / fast:.0f}", "from 4 windows")

    face = Clip(face_video(340, 280, 70), 200)
    find_landmarks(face.frames[:1], whole_image=True)
    chain, marks = cpu_seconds(
        lambda: clip_to_avatar(face, (0, 5, 10, 15)),
        lambda: find_landmarks(face.frames, whole_image=True),
        repeats=1 if quick else 3,
    )
    row(
        "clip to four avatars, 340 x 280 x 70",
        chain,
        "",
        f"dlib alone, 70 frames: {marks * 1e3:.0f} ms",
    )
    print(f"load {os.getloadavg()[0]:.1f}")
    (HERE / "results.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
