"""Pack avatars, labels and folds into one file that ``tools/train_packed.py`` trains on.

The machine with the GPU then needs only torch, torchvision and numpy:

    python tools/pack_avatars.py composite composite.npz --profile paper --weights resnet34-b627a593.pth
    python train_packed.py composite.npz folds/ --device cuda --weights resnet34-b627a593.pth

Copy ``folds/`` back and ``memaa train composite --profile paper --device cuda --weights ... --out folds``
finds every fold done and prints the scores.

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

from memaa_lib import network, profiles, protocol
from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError
from memaa_lib.profiles import TrainingProfile

FORMAT = "memaa avatars 1"


def write_pack(
    path: Path | str,
    avatars: NDArray[np.uint8],
    alphas: Sequence[float],
    index: pd.DataFrame,
    folds: Sequence[protocol.Fold],
    profile: str | TrainingProfile = "paper",
    *,
    seed: int = 0,
    weights: Path | str | None = None,
    device: str = "cuda",
) -> None:
    """Write one file with everything a run needs but the starting weights."""
    settings = profiles.profile_named(profile)
    if settings.trainable != "all" or settings.varies_images:
        raise InputError(
            f"profile {settings.name!r}: a pack is for training the whole network with flips only; "
            "run other profiles with memaa train"
        )
    tasks, start = protocol.plan_tasks(
        avatars, alphas, index, folds, settings, seed=seed, weights=weights, device=device
    )
    images = network.resize_avatars(avatars, settings.image_size)
    streams = [np.frombuffer(encode(clip), np.uint8) for clip in images]
    plan = {
        "format": FORMAT,
        "profile": asdict(settings),
        "seed": seed,
        "device": device,
        "start": {"name": start.name, "digest": start.digest},
        "shape": images.shape,
        "folds": [
            {
                "name": task.fold.name,
                "fingerprint": task.fingerprint,
                "seed": task.seed,
                "train": task.fold.train.tolist(),
                "test": task.fold.test.tolist(),
                "train_labels": task.train_labels.tolist(),
                "train_columns": task.train_columns,
                "test_column": task.test_column,
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

    Differences (modulo 256) between amplification factors, rows and colours are small, and need a
    third of the room of the values.
    """
    for axis in (0, 1, 3):
        clip = np.diff(clip, axis=axis, prepend=np.uint8(0))
    return lzma.compress(clip.tobytes(), preset=2)


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
    from memaa_lib.avatar import make_avatars
    from memaa_lib.datasets import load_index

    profile = profiles.profile_named(chosen.profile)
    whole = "composite" if chosen.protocol in ("composite", "cross") else chosen.dataset
    index = load_index(whole, root=chosen.root)
    folds = protocol.make_folds(index, chosen.protocol, train=chosen.dataset, seed=chosen.seed)
    alphas = sorted({*profile.train_alphas, profile.test_alpha})
    write_pack(
        chosen.target, make_avatars(index, alphas), alphas, index, folds, profile,
        seed=chosen.seed, weights=chosen.weights, device=chosen.device,
    )  # fmt: skip
    size = chosen.target.stat().st_size / 2**20
    print(f"wrote {chosen.target}: {len(index)} clips, {len(folds)} folds, {size:.1f} MiB")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"pack_avatars: {error}")
