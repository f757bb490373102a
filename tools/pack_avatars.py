"""Pack avatars, labels and folds into one file that ``tools/train_packed.py`` trains on.

The machine with the GPU then needs a copy of ``memaa_lib`` and ``tools``, and of packages only torch,
torchvision, NumPy and OpenCV:

    python -m tools.pack_avatars composite composite.npz --profile paper --weights resnet34-b627a593.pth
    python -m tools.train_packed composite.npz folds/ --weights resnet34-b627a593.pth

Copy ``folds/`` back and ``memaa train composite --method memaa --profile paper --device cuda
--weights ... --out folds`` finds every fold done and prints the scores.

A pack is an ``.npz`` with ``avatars`` (uint8: one LZMA stream a clip, one after the other, see
``encode``), ``ends`` (int64: where each ends) and ``plan`` (JSON text as uint8: profile, folds, seeds,
fingerprints). Nothing in it is executed.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib import network, protocol
from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError
from memaa_lib._support.weights import weights_digest

FORMAT = "memaa avatars 2"


def write_pack(
    path: Path | str,
    avatars: NDArray[np.uint8],
    index: pd.DataFrame,
    folds: Sequence[protocol.Fold],
    system: protocol.Memaa,
) -> None:
    """Write one file with everything a run needs but the starting weights."""
    profile = system.profile
    if profile.trainable != "all" or profile.varies_images:
        raise InputError(
            f"profile {profile.name!r}: a pack is for training the whole network with flips only; "
            "run other profiles with memaa train"
        )
    tasks = protocol.plan_tasks(avatars, index, folds, system)
    images = network.resize_avatars(network.face_view(avatars, profile.view), profile.image_size)
    streams = [np.frombuffer(encode(clip), np.uint8) for clip in images]
    plan = {
        "format": FORMAT,
        "profile": asdict(profile),
        "seed": system.seed,
        "device": system.device,
        "start": {"name": system.start, "digest": weights_digest(system.weights.state)},
        "shape": images.shape,
        "told": tasks[0].told,
        "folds": [
            {
                "name": task.fold.name,
                "file": protocol.result_path(Path(), task).name,
                "fingerprint": task.fingerprint,
                "seed": task.seed,
                "train": task.fold.train.tolist(),
                "test": task.fold.test.tolist(),
                "labels": task.train_labels.tolist(),
            }
            for task in tasks
        ],
    }
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            avatars=np.concatenate(streams),
            ends=np.cumsum([len(stream) for stream in streams], dtype=np.int64),
            plan=np.frombuffer(json.dumps(plan).encode(), np.uint8),
        )


def encode(clip: NDArray[np.uint8]) -> bytes:
    """Compress a clip's avatars ``(A, s, s, 3)`` without loss.

    Differences (modulo 256) between amplification factors, rows and columns are small, and need a
    fourth of the room of the values.
    """
    for axis in (0, 1, 2):
        clip = np.diff(clip, axis=axis, prepend=np.uint8(0))
    return lzma.compress(clip.tobytes())


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Pack avatars, labels and folds into one file.")
    parser.add_argument("dataset", help="smic, casme2, samm or composite")
    parser.add_argument("target", type=Path, help="file to write, e.g. composite.npz")
    parser.add_argument("--protocol", default="loso", help="loso, kfold or cross")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--weights", type=Path, help="file with the starting weights")
    parser.add_argument("--device", default="cuda", help="where it will be trained")
    parser.add_argument("--root", type=Path, help="folder of the release; default: as configured")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    from memaa_lib.datasets import load_index

    system = protocol.Memaa(
        chosen.profile, seed=chosen.seed, weights=chosen.weights, device=chosen.device
    )
    whole = "composite" if chosen.protocol in ("composite", "cross") else chosen.dataset
    index = load_index(whole, root=chosen.root)
    folds = protocol.make_folds(index, chosen.protocol, train=chosen.dataset, seed=chosen.seed)
    write_pack(chosen.target, system.features(index, n_jobs=2), index, folds, system)
    size = chosen.target.stat().st_size / 2**20
    print(f"wrote {chosen.target}: {len(index)} clips, {len(folds)} folds, {size:.1f} MiB")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"pack_avatars: {error}")
