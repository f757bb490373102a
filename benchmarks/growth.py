"""Measure how each stage grows with what it is given; write results/growth.json, shown in the book.

Usage: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/growth.py   (a quarter of an hour)

Times of stages are processor time of one thread, medians of three runs; times of workers are wall
time, their start included. Memory is the growth of the peak while the stage runs, its result included.
"""

import ctypes
import datetime
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from bench_method import face_video
from distributed import LocalCluster

from memaa_lib import protocol
from memaa_lib._support import running
from memaa_lib._support.machine import processor
from memaa_lib._support.weights import write_weights
from memaa_lib.avatar import clip_to_avatar, make_avatars
from memaa_lib.clips import Clip
from memaa_lib.datasets import load_clip, load_index, rows_of
from memaa_lib.datasets.twins.release import write_twin
from memaa_lib.magnification import magnify
from memaa_lib.network import scratch_weights
from memaa_lib.paper import CLASSES
from memaa_lib.registration import find_landmarks
from memaa_lib.texture import texture_intensity

TARGET = Path(__file__).resolve().parents[1] / "results" / "growth.json"
REPEATS = 3
FRAMES = (20, 40, 80, 160, 320)
PIXELS = tuple(height * height * 4 // 5 for height in (120, 240, 480, 960))
CLIPS = (60, 120, 240, 480)
SUBJECTS = (5, 10, 20, 40)
WORKERS = (1, 2, 4)
ALPHAS = tuple(
    float(alpha) for alpha in range(12)
)  # so that the start of the workers does not weigh most


def cost(stage: Callable[[], Any]) -> tuple[float, float]:
    """Median processor time, s, and growth of the peak memory, MiB, of runs after the first."""
    stage()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before must not hide what is needed now
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = memory("VmRSS")
    spent = []
    for _ in range(REPEATS):
        began = time.process_time()
        stage()
        spent.append(time.process_time() - began)
    return float(np.median(spent)), memory("VmHWM") - before


def memory(kind: str) -> float:
    """Read a figure of this process's memory, MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{kind}:")[1].split()[0]) / 1024


def growth(
    stage: str, against: str, sizes: Sequence[int], make: Callable[[int], Callable[[], Any]]
) -> dict[str, Any]:
    """Measure a stage at some sizes."""
    figures = [cost(make(size)) for size in sizes]
    seconds, peaks = zip(*figures, strict=True)
    print(f"{stage}, {against}: {[f'{one:.4f} s' for one in seconds]}", flush=True)
    return {
        "stage": stage,
        "against": against,
        "sizes": list(sizes),
        "seconds": [round(one, 5) for one in seconds],
        "mebibytes": [round(one, 1) for one in peaks],
    }


STAGES: dict[str, Callable[[Clip], Any]] = {
    "magnify": partial(magnify, alpha=10),
    "score frames": texture_intensity,
    "find landmarks": find_landmarks,
    "clip to avatar": partial(clip_to_avatar, alpha=10),
}


def stages_of_a_clip() -> list[dict[str, Any]]:
    """Measure the chain from clip to avatar against frames and pixels."""

    def on(stage: Callable[[Clip], Any], frames: int, pixels: int) -> Callable[[], Any]:
        height = round((pixels * 5 / 4) ** 0.5)
        clip = Clip(face_video(height, height * 4 // 5, frames), 200)
        return lambda: stage(clip)

    found = []
    for name, stage in STAGES.items():
        found.append(growth(name, "frames", FRAMES, partial(on, stage, pixels=PIXELS[1])))
        found.append(growth(name, "pixels", PIXELS, partial(on, stage, 30)))
    return found


class Training:
    """The laptop profile on random avatars: what is in the pictures costs nothing."""

    def __init__(self, folder: Path, clips: int, subjects: int) -> None:
        weights = write_weights(scratch_weights(0), folder, "start")
        self.system = protocol.Memaa("laptop", weights=weights)
        shape = (clips, len(self.system.profile.alphas), 224, 224, 3)
        self.avatars = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        rows = [
            ("own", f"s{clip % subjects:03d}", f"c{clip}", CLASSES[clip % 3])
            for clip in range(clips)
        ]
        self.index = pd.DataFrame(rows, columns=list(protocol.REQUIRED_COLUMNS))
        self.folds = protocol.leave_one_subject_out(self.index)

    def features(self) -> tuple[Any, Any]:
        """Run the frozen layers; nothing of it is kept."""
        with tempfile.TemporaryDirectory() as cache:
            os.environ["MEMAA_CACHE"] = cache
            return self.system.learner(self.avatars)

    def leave_one_out(self, n_jobs: int = 1, cluster: str | None = None) -> Any:
        """Train and test every fold; nothing of it is kept, but the frozen layers' output is."""
        with tempfile.TemporaryDirectory() as out:
            return protocol.evaluate(
                self.avatars, self.index, self.folds, self.system,
                out=out, n_jobs=n_jobs, cluster=cluster,
            )  # fmt: skip


def training(folder: Path) -> list[dict[str, Any]]:
    """Measure the laptop profile against clips and subjects."""
    made = {clips: Training(folder, clips, 10) for clips in CLIPS}
    found = [growth("frozen layers", "clips", CLIPS, lambda n: made[n].features)]
    os.environ["MEMAA_CACHE"] = str(folder / "cache")

    def fold(clips: int) -> Callable[[], Any]:
        run = made[clips]
        inputs, learner = run.system.learner(run.avatars)
        task = protocol.plan_tasks(run.avatars, run.index, run.folds, run.system)[0]
        return lambda: protocol.run_fold(inputs, learner, task)

    found.append(growth("train and test a fold", "clips", CLIPS, fold))

    def leave_one_out(subjects: int) -> Callable[[], Any]:
        run = Training(folder, CLIPS[1], subjects)
        run.system.learner(run.avatars)  # kept
        return run.leave_one_out

    found.append(growth("leave one subject out", "subjects", SUBJECTS, leave_one_out))
    return found


def wall(work: Callable[[], Any]) -> float:
    """Wall time, s."""
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


def workers(folder: Path, index: pd.DataFrame) -> list[dict[str, Any]]:
    """Measure avatars and folds by several processes, and by several Dask workers."""
    running.WORTH_PROCESSES = -1.0  # they are started, be the work ever so short
    run = Training(folder, CLIPS[-1], SUBJECTS[-1])
    os.environ["MEMAA_CACHE"] = str(folder / "cache")
    run.system.learner(run.avatars)

    def avatars(**options: Any) -> Any:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["MEMAA_CACHE"] = cache
            return make_avatars(index, ALPHAS, **options)

    def on_dask(work: Callable[..., Any], count: int) -> Any:
        with LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster:
            return work(cluster=cluster.scheduler_address)

    found = []
    for name, work in (("avatars", avatars), ("folds", run.leave_one_out)):
        for count in WORKERS:
            os.environ["MEMAA_CACHE"] = str(folder / "cache")
            seconds = {
                "processes": wall(partial(work, n_jobs=count)),
                "Dask workers": wall(partial(on_dask, work, count)),
            }
            for how, one in seconds.items():
                print(f"{name} by {count} {how}: {one} s", flush=True)
                found.append({"work": name, "how": how, "workers": count, "seconds": one})
    return found


def one_clip(folder: Path, index: pd.DataFrame) -> dict[str, Any]:
    """What a clip of a twin costs in the mean, four alphas, and what it takes on disk."""
    os.environ["MEMAA_CACHE"] = str(folder / "one")
    rows = rows_of(index)
    began = time.process_time()
    frames = [load_clip(row).n_frames for row in rows]
    reading = time.process_time() - began
    began = time.process_time()
    make_avatars(index, n_jobs=1)
    making = time.process_time() - began
    pictures = list((folder / "one" / "avatars").rglob("*.png"))
    sources = [path for row in rows for path in Path(row.path).iterdir()]
    return {
        "frames": round(float(np.mean(frames)), 1),
        "read_seconds": round(reading / len(rows), 4),
        "avatars_seconds": round(making / len(rows), 4),
        "avatars_bytes": round(sum(path.stat().st_size for path in pictures) / len(rows)),
        "clip_bytes": round(sum(path.stat().st_size for path in sources) / len(rows)),
    }


def main() -> None:
    """Measure, and write."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["MEMAA_CACHE"] = str(folder / "cache")
        index = load_index("casme2", write_twin("casme2", folder / "casme2", clips=24, n_jobs=2))
        result = {
            "date": str(datetime.date.today()),
            "machine": f"{processor()}, {os.cpu_count()} cores",
            "growth": [*stages_of_a_clip(), *training(folder)],
            "workers": workers(folder, index),
            "clip": one_clip(folder, index),
        }
    TARGET.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
