"""Train and test the folds of a pack on a machine that has only torch, torchvision, NumPy and OpenCV.

    python -m tools.train_packed composite.npz folds/ --weights resnet34-b627a593.pth

Writes one file a fold, the same that ``memaa train --out folds/`` writes, and skips those that are
there; so a run can be stopped at any time, or after ``--time-limit`` seconds, and be gone on with.
``tools/pack_avatars.py`` makes the pack. Exit codes: 0 done, 1 wrong input, 3 the time limit came
first. ``--summary FILE`` keeps images a second and seconds a fold.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memaa_lib import network
from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError
from memaa_lib._support.weights import StateDict, read_weights, weights_digest
from memaa_lib.profiles import TrainingProfile

FORMAT = "memaa avatars 2"
STOPPED = 3


def read_pack(path: Path) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Return the plan and the avatars ``(N, A, s, s, 3)``."""
    try:
        with np.load(path, allow_pickle=False) as pack:
            plan = json.loads(pack["plan"].tobytes())
            streams = np.split(pack["avatars"], pack["ends"][:-1])
        if plan["format"] != FORMAT:
            raise InputError(f"{path}: its format is {plan['format']!r}, expected {FORMAT!r}")
        clips = [decode(stream.tobytes(), plan["shape"][1:]) for stream in streams]
    except (OSError, ValueError, KeyError, lzma.LZMAError) as error:
        raise InputError(
            f"{path}: no pack of avatars, make one with tools/pack_avatars.py ({error})"
        ) from error
    return plan, np.stack(clips)


def decode(stream: bytes, shape: Sequence[int]) -> NDArray[np.uint8]:
    """Return a clip's avatars ``(A, s, s, 3)``; see ``encode`` in ``pack_avatars.py``."""
    clip = np.frombuffer(lzma.decompress(stream), np.uint8).reshape(shape)
    for axis in (2, 1, 0):
        clip = np.cumsum(clip, axis=axis, dtype=np.uint8)
    return clip


def starting_weights(plan: Mapping[str, Any], path: Path | None) -> StateDict:
    """Return the run's starting weights, checked against the digest in the plan."""
    if plan["profile"]["initialisation"] == "imagenet":
        state = network.imagenet_weights(path, plan["seed"])
    else:
        state = read_weights(path) if path else network.scratch_weights(plan["seed"])
    if weights_digest(state) != plan["start"]["digest"]:
        raise InputError(f"the run starts from {plan['start']['name']}: give it with --weights")
    return state


def run_fold(
    inputs: NDArray[np.uint8],
    learner: network.AvatarNetwork,
    fold: Mapping[str, Any],
    told: Mapping[str, str],
) -> dict[str, Any]:
    """Train on the fold's training clips and predict its test clips, as ``memaa_lib.protocol`` does."""
    began = time.perf_counter()
    learner.fit(inputs[fold["train"]], np.array(fold["labels"]), fold["seed"])
    return {
        "fold": fold["name"],
        "fingerprint": fold["fingerprint"],
        **told,
        "seed": fold["seed"],
        "leak": None,
        **learner.record,
        "predictions": learner.predict(inputs[fold["test"]]).tolist(),
        "weights_digest": learner.digest,
        "seconds": round(time.perf_counter() - began, 3),
    }


def rates(device: str, epochs: int, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how fast the folds were."""
    seconds = [result["seconds"] for result in results]
    images = epochs * sum(result["trained_images"] for result in results)
    found: dict[str, Any] = {"device": device, "torch": torch.__version__, "folds": len(results)}
    found["seconds_a_fold"] = float(np.median(seconds))
    found["images_a_second"] = images / sum(seconds)
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name()
        found["peak_bytes"] = torch.cuda.max_memory_allocated()
    return found


def main() -> None:
    """Run the folds that are missing."""
    parser = argparse.ArgumentParser(description="Train and test the folds of a pack.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path, help="folder of the fold files")
    parser.add_argument("--weights", type=Path, help="file with the starting weights")
    parser.add_argument("--time-limit", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--summary", type=Path, help="file for the measured rates")
    chosen = parser.parse_args()
    began = time.perf_counter()
    plan, images = read_pack(chosen.pack)
    missing = [fold for fold in plan["folds"] if not (chosen.folder / fold["file"]).is_file()]
    print(f"{len(plan['folds'])} folds, {len(missing)} to do", flush=True)
    if not missing:
        return
    profile = TrainingProfile(**plan["profile"])
    start = {name: value.numpy() for name, value in starting_weights(plan, chosen.weights).items()}
    learner = network.AvatarNetwork(profile, start, plan["device"])
    inputs = np.ascontiguousarray(np.moveaxis(images, -1, -3))[:, :, np.newaxis]  # one view each
    results = []
    for fold in missing:
        if time.perf_counter() - began >= chosen.time_limit:
            break
        results.append(run_fold(inputs, learner, fold, plan["told"]))
        with atomic_path(chosen.folder / fold["file"]) as temporary:
            temporary.write_text(json.dumps(results[-1], indent=1) + "\n", encoding="utf-8")
        print(f"{fold['name']}: {results[-1]['seconds']} s", flush=True)
    if chosen.summary and results:
        found = rates(plan["device"], profile.epochs, results)
        chosen.summary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if len(results) < len(missing):
        print("the time limit came first; give the same command again to go on")
        sys.exit(STOPPED)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"train_packed: {error}")
