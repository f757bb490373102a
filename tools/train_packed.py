"""Train and test the folds of a pack on a machine that has only torch, torchvision and numpy.

    python train_packed.py composite.npz folds/ --device cuda --weights resnet34-b627a593.pth

Writes one file a fold, the same that ``memaa train --out folds/`` writes, and skips those that are
there; so a run can be stopped at any time, or after ``--time-limit`` seconds, and be gone on with.
``tools/pack_avatars.py`` makes the pack. Exit codes: 0 done, 1 wrong input, 3 the time limit came
first. ``--summary FILE`` keeps images a second and seconds a fold.

This file stands alone on purpose: it repeats the training loop of ``memaa_lib.network`` for the case
of a whole network trained with flips, and a test holds the two together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Wanted by cuBLAS for results that can be repeated; read when CUDA starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models import resnet34

FORMAT = "memaa avatars 1"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
N_CLASSES = 3
STOPPED = 3


def read_pack(path: Path) -> tuple[dict[str, Any], torch.Tensor]:
    """Return the plan and the avatars ``(N, A, 3, s, s)`` uint8."""
    try:
        with np.load(path, allow_pickle=False) as pack:
            plan = json.loads(pack["plan"].tobytes())
            streams = np.split(pack["avatars"], pack["ends"][:-1])
    except (OSError, ValueError, KeyError, lzma.LZMAError) as error:
        sys.exit(f"{path}: no pack of avatars, make one with tools/pack_avatars.py ({error})")
    if plan.get("format") != FORMAT:
        sys.exit(f"{path}: its format is {plan.get('format')!r}, expected {FORMAT!r}")
    clips = [decode(stream.tobytes(), plan["shape"][1:]) for stream in streams]
    return plan, torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.stack(clips), -1, -3)))


def decode(stream: bytes, shape: Sequence[int]) -> NDArray[np.uint8]:
    """Return a clip's avatars ``(A, s, s, 3)``; see ``encode`` in ``pack_avatars.py``."""
    clip = np.frombuffer(lzma.decompress(stream), np.uint8).reshape(shape)
    for axis in (3, 1, 0):
        clip = np.cumsum(clip, axis=axis, dtype=np.uint8)
    return clip


def starting_weights(plan: dict[str, Any], path: Path | None) -> dict[str, torch.Tensor]:
    """Return the run's starting weights, checked against the digest in the plan."""
    torch.manual_seed(plan["seed"])
    state = dict(resnet34(num_classes=N_CLASSES).state_dict())
    if path is not None:
        if not path.is_file():
            sys.exit(f"{path}: no such weights file")
        given = torch.load(path, map_location="cpu", weights_only=True)
        if plan["profile"]["initialisation"] == "imagenet":
            given = {name: value for name, value in given.items() if not name.startswith("fc.")}
        state = {**state, **given}
    if digest(state) != plan["start"]["digest"]:
        sys.exit(f"the run starts from {plan['start']['name']}: give that file with --weights")
    return state


def digest(state: dict[str, torch.Tensor]) -> str:
    """Return 16 digits that change with any weight, as ``memaa_lib.network.weights_digest``."""
    found = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().numpy()
        found.update(f"{name}{values.shape}{values.dtype.str}".encode())
        found.update(values.tobytes())
    return found.hexdigest()[:16]


class Trainer:
    """One network on one device; every fold resets its weights in place, so it compiles once."""

    def __init__(
        self, plan: dict[str, Any], images: torch.Tensor, start: dict[str, torch.Tensor]
    ) -> None:
        self.profile, self.device, self.start = plan["profile"], plan["device"], start
        self.images = images.to(self.device)  # stays there as uint8
        network = resnet34(num_classes=N_CLASSES).to(self.device)
        self.network = network.to(memory_format=torch.channels_last)
        compiled = self.device.startswith("cuda")
        self.run: Any = torch.compile(self.network) if compiled else self.network
        self.mean = torch.tensor(MEAN, device=self.device).view(1, 3, 1, 1)
        self.deviation = torch.tensor(DEVIATION, device=self.device).view(1, 3, 1, 1)
        self.trained_images = 0

    def inputs(self, batch: torch.Tensor) -> torch.Tensor:
        """Turn uint8 images into zero mean and unit deviation."""
        scaled = (batch.float() / 255.0 - self.mean) / self.deviation
        return scaled.contiguous(memory_format=torch.channels_last)

    def fold(self, fold: dict[str, Any]) -> dict[str, Any]:
        """Train on the fold's training clips and predict its test clips."""
        began, profile = time.perf_counter(), self.profile
        self.network.load_state_dict(self.start)
        clips = torch.tensor(fold["train"]).repeat_interleave(len(fold["train_columns"]))
        columns = torch.tensor(fold["train_columns"]).repeat(len(fold["train"]))
        labels = torch.tensor(fold["train_labels"]).repeat_interleave(len(fold["train_columns"]))
        data = self.images[clips.to(self.device), columns.to(self.device)]
        target = labels.to(self.device)
        losses = self._train(data, target, fold["seed"])
        test = self.images[torch.tensor(fold["test"], device=self.device), fold["test_column"]]
        self.network.eval()
        outputs = []
        with torch.inference_mode():
            for first in range(0, len(test), 64):
                outputs.append(self.run(self.inputs(test[first : first + 64])).float().cpu())
        state = {name: value.cpu() for name, value in self.network.state_dict().items()}
        return {
            "fold": fold["name"],
            "fingerprint": fold["fingerprint"],
            "profile": profile["name"],
            "seed": fold["seed"],
            "device": self.device,
            "leak": None,
            "epoch": profile["epochs"],
            "trained_images": len(labels),
            "predictions": torch.cat(outputs).argmax(1).tolist(),
            "weights_digest": digest(state),
            "losses": [round(loss, 6) for loss in losses],
            "seconds": round(time.perf_counter() - began, 3),
        }

    def _train(self, data: torch.Tensor, target: torch.Tensor, seed: int) -> list[float]:
        profile = self.profile
        weight = None
        if profile["class_weights"] == "balanced":
            counts = torch.bincount(target, minlength=N_CLASSES).float()
            weight = torch.where(counts > 0, counts.sum() / (N_CLASSES * counts.clamp(min=1)), 0.0)
        loss_function = torch.nn.CrossEntropyLoss(
            weight=weight, label_smoothing=profile["label_smoothing"]
        )
        generator = torch.Generator().manual_seed(seed)
        steps = len(batches(torch.arange(len(target)), profile))
        optimizer, schedule = make_optimizer(self.network, profile, steps)
        mixed = profile["precision"] == "bfloat16"
        kind, losses = self.device.partition(":")[0], []
        for _ in range(profile["epochs"]):
            self.network.train()
            if profile["freeze_batch_norm"]:
                for module in self.network.modules():
                    if isinstance(module, torch.nn.BatchNorm2d):
                        module.eval()
            total = torch.zeros((), device=self.device, dtype=torch.float64)
            for chosen in batches(torch.randperm(len(target), generator=generator), profile):
                mirrored = torch.rand(len(chosen), generator=generator)
                flip = (mirrored < profile["flip_probability"]).to(self.device).view(-1, 1, 1, 1)
                chosen = chosen.to(self.device)
                batch = data[chosen]
                batch = self.inputs(torch.where(flip, batch.flip(-1), batch))
                with torch.autocast(kind, dtype=torch.bfloat16, enabled=mixed):
                    outputs = self.run(batch).float()
                loss = loss_function(outputs, target[chosen])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach()
                self.trained_images += len(chosen)
            losses.append(float(total) / steps)
        return losses


def batches(order: torch.Tensor, profile: dict[str, Any]) -> list[torch.Tensor]:
    """Cut an order of images into batches; a last one of a single image is left out."""
    size = profile["batch_size"]
    cut = [order[first : first + size] for first in range(0, len(order), size)]
    short = len(cut[-1]) < size and profile["drop_last"]
    if len(cut) > 1 and (short or len(cut[-1]) < 2):
        cut.pop()
    return cut


def make_optimizer(
    network: torch.nn.Module, profile: dict[str, Any], steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Make the optimizer and the schedule of its rate, advanced after every batch."""
    rate, parameters = profile["learning_rate"], list(network.parameters())
    optimizer: torch.optim.Optimizer
    if profile["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(
            parameters, lr=rate, momentum=profile["momentum"], weight_decay=profile["weight_decay"]
        )
    else:
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=profile["weight_decay"])
    if profile["schedule"] == "halving":
        halve = profile["halve_every"] * steps
        return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, halve, gamma=0.5)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        rate,
        total_steps=profile["epochs"] * steps + 1,
        pct_start=0.3,
        cycle_momentum=profile["optimizer"] == "sgd",
        max_momentum=profile["momentum"],
    )


def result_path(folder: Path, fold: dict[str, Any]) -> Path:
    """Name the file of a fold as ``memaa_lib.protocol`` does."""
    readable = "".join(letter if letter.isalnum() else "-" for letter in fold["name"])
    return folder / f"{readable}-{fold['fingerprint']}.json"


def main() -> None:
    """Run the folds that are missing."""
    parser = argparse.ArgumentParser(description="Train and test the folds of a pack.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path, help="folder of the fold files")
    parser.add_argument("--device", help="default: what the pack was made for")
    parser.add_argument("--weights", type=Path, help="file with the starting weights")
    parser.add_argument("--time-limit", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--summary", type=Path, help="file for the measured rates")
    chosen = parser.parse_args()
    began = time.perf_counter()
    plan, images = read_pack(chosen.pack)
    if chosen.device not in (None, plan["device"]):
        sys.exit(f"the pack was made for {plan['device']}, not for {chosen.device}; pack it anew")
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    folder = chosen.folder
    missing = [fold for fold in plan["folds"] if not result_path(folder, fold).is_file()]
    print(f"{len(plan['folds'])} folds, {len(missing)} to do", flush=True)
    if not missing:
        return
    trainer = Trainer(plan, images, starting_weights(plan, chosen.weights))
    folder.mkdir(parents=True, exist_ok=True)
    seconds = []
    for fold in missing:
        if time.perf_counter() - began >= chosen.time_limit:
            break
        result = trainer.fold(fold)
        path = result_path(folder, fold)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
        seconds.append(result["seconds"])
        print(f"{fold['name']}: {result['seconds']} s", flush=True)
    if chosen.summary and seconds:
        rates = {
            "device": plan["device"],
            "torch": torch.__version__,
            "folds": len(seconds),
            "seconds_a_fold": float(np.median(seconds)),
            "images_a_second": trainer.trained_images / sum(seconds),
            "seconds": time.perf_counter() - began,
        }
        if plan["device"].startswith("cuda"):
            rates["gpu"] = torch.cuda.get_device_name()
            rates["peak_bytes"] = torch.cuda.max_memory_allocated()
        chosen.summary.write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
    if len(seconds) < len(missing):
        print("the time limit came first; give the same command again to go on")
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
