"""ResNet-34 with three outputs, its training and its starting weights (Sec. 3.5, Table 1).

What the paper leaves open is a named field of ``TrainingProfile``, see ``memaa_lib.profiles``.

It needs ``torch``, which takes seconds to import, and is itself imported only to fit or to predict.
Of this project it takes what a machine with ``torch``, ``torchvision``, NumPy and OpenCV alone can
import, so that a rented GPU runs this very code.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models import resnet34

from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError
from memaa_lib._support.weights import StateDict, read_weights, weights_digest
from memaa_lib.paper import CLASSES
from memaa_lib.profiles import IMAGENET_FILE, TrainingProfile

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_FACE_CENTRE = (0.55, 0.5)  # row and column of the middle of the face, as shares of an avatar
_LAYERS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
_FROZEN = {"all": 0, "layer4": _LAYERS.index("layer4"), "fc": len(_LAYERS)}  # how many stay


# ------------------------------------------------------------------------------------- weights


def scratch_weights(seed: int = 0, outputs: int = len(CLASSES)) -> StateDict:
    """Return random starting weights; torch's own random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dict(_resnet34(outputs).state_dict())


def imagenet_weights(path: Path | str | None = None, seed: int = 0) -> StateDict:
    """Return torchvision's ImageNet weights, given or downloaded, with a new, random output layer."""
    path = Path(path or _download_imagenet())
    if path.name != IMAGENET_FILE:
        raise InputError(f"{path}: ImageNet weights are expected in a file named {IMAGENET_FILE}")
    state = {name: value for name, value in read_weights(path).items() if "fc." not in name}
    return {**scratch_weights(seed), **state}


def _download_imagenet() -> Path:
    """Fetch torchvision's file into torch's cache."""
    target = Path(torch.hub.get_dir()) / "checkpoints" / IMAGENET_FILE
    url = f"https://download.pytorch.org/models/{IMAGENET_FILE}"
    if not target.is_file():
        try:
            with atomic_path(target) as temporary:
                torch.hub.download_url_to_file(url, str(temporary), "b627a593", progress=False)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{url} cannot be had ({error}): give the file by hand, or choose a "
                "profile that starts from other weights (laptop, paper-pretrained)"
            ) from error
    return target


# -------------------------------------------------------------------------------------- inputs


def resize_avatars(avatars: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize images ``(..., S, S, 3)``: area averages to shrink, linear interpolation to enlarge."""
    side = _checked_side(avatars)
    if side == size:
        return avatars
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    flat = avatars.reshape(-1, side, side, 3)
    resized = np.stack([cv2.resize(image, (size, size), interpolation=method) for image in flat])
    return resized.reshape(*avatars.shape[:-3], size, size, 3)


def face_view(avatars: NDArray[np.uint8], view: float) -> NDArray[np.uint8]:
    """Cut a square about the middle of the face out of avatars; its side is ``view`` of theirs."""
    whole = _checked_side(avatars)
    side = round(view * whole)
    top, left = (
        round(np.clip(centre * whole - side / 2, 0, whole - side)) for centre in _FACE_CENTRE
    )
    return avatars[..., top : top + side, left : left + side, :]


def _checked_side(avatars: NDArray[np.uint8]) -> int:
    """Return the side of square images, and refuse anything else."""
    if avatars.dtype != np.uint8 or avatars.ndim < 3 or avatars.shape[-1] != 3:
        raise InputError(
            f"avatars must be uint8 (..., S, S, 3); got {avatars.dtype} {avatars.shape}"
        )
    height, width = avatars.shape[-3:-1]
    if height != width:
        raise InputError(f"avatars must be square; got {height} x {width} px")
    return int(width)


def network_inputs(
    avatars: NDArray[np.uint8], profile: TrainingProfile, start: Mapping[str, torch.Tensor]
) -> NDArray[Any]:
    """Turn avatars into what the trained part of the network takes.

    With ``trainable="all"`` that is the resized images. Otherwise the layers below the trained ones
    never change, so their output is computed once, for the image and for its mirror image. Each
    image is treated alone (running statistics of batch normalisation), so no clip touches another.

    Avatars are ``(..., S, S, 3)`` uint8. The result is ``(..., 1, 3, s, s)`` uint8, one view of each
    image, or ``(..., 2, C, h, w)`` float16, features of the image and of its mirror image.
    """
    if profile.trainable == "all":
        return _as_seen(avatars, profile)[..., np.newaxis, :, :, :]
    flat = avatars.reshape(-1, *avatars.shape[-3:])
    features = _frozen_features(flat, profile, start)
    return features.reshape(*avatars.shape[:-3], *features.shape[1:])


def _as_seen(avatars: NDArray[np.uint8], profile: TrainingProfile) -> NDArray[np.uint8]:
    """Return the part that is seen, at the size of the input, channels first."""
    images = resize_avatars(face_view(avatars, profile.view), profile.image_size)
    return np.ascontiguousarray(np.moveaxis(images, -1, -3))


def _frozen_features(
    avatars: NDArray[np.uint8], profile: TrainingProfile, start: Mapping[str, torch.Tensor]
) -> NDArray[np.float16]:
    """Run the layers below the trained ones on each image and its mirror image, in evaluation mode."""
    network = _resnet34()
    network.load_state_dict(dict(start))
    lower = torch.nn.Sequential(*_layers(network)[: _FROZEN[profile.trainable]]).eval()
    lower = lower.to(memory_format=torch.channels_last)
    batches = []
    with torch.inference_mode(), _autocast("cpu", profile), one_thread():
        for first in range(0, len(avatars), 64):
            images = _as_seen(avatars[first : first + 64], profile)
            views = (images, np.ascontiguousarray(images[..., ::-1]))
            outputs = [lower(_normalise(torch.from_numpy(view))) for view in views]
            batches.append(torch.stack(outputs, dim=1).to(torch.float16).contiguous().numpy())
    return np.concatenate(batches)


def _normalise(batch: torch.Tensor) -> torch.Tensor:
    """Turn images ``(N, 3, H, W)`` into ImageNet's zero mean and unit deviation."""
    if batch.shape[1] != 3:  # features, which stay as they are
        return batch.float()
    mean = torch.tensor(_IMAGENET_MEAN, device=batch.device).view(1, 3, 1, 1)
    deviation = torch.tensor(_IMAGENET_STD, device=batch.device).view(1, 3, 1, 1)
    scaled = (batch.float() / 255.0 - mean) / deviation
    return scaled.contiguous(memory_format=torch.channels_last)


# ------------------------------------------------------------------------------------ training


@dataclass(frozen=True)
class Trained:
    """What a training run leaves: weights and buffers, mean loss of each epoch, digest of ``state``."""

    state: StateDict
    losses: tuple[float, ...]
    digest: str


def train(
    inputs: NDArray[Any],
    labels: NDArray[np.int64],
    profile: TrainingProfile,
    start: Mapping[str, torch.Tensor],
    *,
    seed: int = 0,
    device: str = "cpu",
    after_epoch: Callable[[int, torch.nn.Module], None] | None = None,
    side_targets: NDArray[np.floating] | None = None,
) -> Trained:
    """Train the network on avatars (Sec. 3.5).

    Parameters
    ----------
    inputs
        ``(N, V, ...)``, as ``network_inputs`` makes them: one image in V views.
    labels
        ``(N,)`` codes 0, 1, 2.
    profile
        The settings.
    start
        Starting weights; not changed.
    seed
        Seed of order, flips and shifts.
    device
        ``"cpu"`` or ``"cuda"``.
    after_epoch
        Called with the number of epochs done and the trained part of the network.
    side_targets
        ``(N, K)``: numbers that K further outputs of the network shall estimate; their mean
        squared error is added to the loss. Only pre-training has such a truth.

    Returns
    -------
    Trained

    Raises
    ------
    InputError
        If there is nothing to train on, or lengths differ.
    """
    if len(inputs) != len(labels) or len(inputs) < 2:
        raise InputError(
            f"training needs one label an image and two images or more; got {len(inputs)} images "
            f"and {len(labels)} labels"
        )
    network, part = _prepared_network(profile, start, device)
    data = torch.from_numpy(np.ascontiguousarray(inputs)).to(device)  # stays there, as bytes
    target = torch.from_numpy(np.asarray(labels, dtype=np.int64)).to(device)
    side = None if side_targets is None else torch.tensor(side_targets, dtype=torch.float32)
    loss_function = torch.nn.CrossEntropyLoss(
        weight=_class_weights(target, profile), label_smoothing=profile.label_smoothing
    )
    # Random numbers are drawn on the processor, so they are the same whatever device trains.
    generator = torch.Generator().manual_seed(seed)
    batches_per_epoch = len(_batches(torch.arange(len(target)), profile))
    optimizer = _optimizer(part, profile)
    schedule = _schedule(optimizer, profile, batches_per_epoch)
    losses = []
    mixed = _autocast(device, profile)
    with _deterministic(), one_thread():
        for epoch in range(1, profile.epochs + 1):
            _set_training(part, profile)
            total = torch.zeros((), dtype=torch.float64, device=device)  # read once an epoch
            for chosen in _batches(torch.randperm(len(target), generator=generator), profile):
                batch = _augmented(data, chosen, profile, generator)
                with mixed:
                    outputs = _outputs(part, batch, profile).float()
                loss = loss_function(outputs[:, : len(CLASSES)], target[chosen.to(device)])
                if side is not None:
                    error = outputs[:, len(CLASSES) :] - side[chosen].to(device)
                    loss = loss + error.square().mean()
                part.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach()
            losses.append(float(total) / batches_per_epoch)
            if after_epoch is not None:
                after_epoch(epoch, part)
    trained = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    state = {**start, **trained}
    return Trained(state, tuple(losses), weights_digest(state))


def predict(
    inputs: NDArray[Any],
    profile: TrainingProfile,
    weights: Mapping[str, torch.Tensor] | torch.nn.Module,
    *,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return outputs ``(N, 3)`` before the softmax, the largest of which names the class.

    ``inputs`` are as for :func:`train`, of which the first view is used; ``weights`` may be the trained
    part of a network. Computed in float32 whatever the precision of training.
    """
    if isinstance(weights, torch.nn.Module):
        part = weights.eval()
    else:
        _, part = _prepared_network(profile, weights, device)
    outputs = []
    with torch.inference_mode(), one_thread():
        for first in range(0, len(inputs), 64):
            batch = torch.from_numpy(np.ascontiguousarray(inputs[first : first + 64, 0]))
            outputs.append(part(_normalise(batch.to(device))).float().cpu().numpy())
    return np.concatenate(outputs) if outputs else np.zeros((0, len(CLASSES)), np.float32)


class AvatarNetwork:
    """The network as what learns a fold: avatars of each clip at several factors in, its class out.

    Inputs are ``(N, A, V, ...)``, a column for each of the profile's ``alphas``. The starting weights are
    arrays, which several processes can read from one file.
    """

    def __init__(
        self, profile: TrainingProfile, start: Mapping[str, NDArray[Any]], device: str = "cpu"
    ) -> None:
        self.profile, self.start, self.device = profile, start, device
        self.weights: Mapping[str, torch.Tensor] | torch.nn.Module = {}
        self.digest = ""
        self.record: dict[str, Any] = {}

    def fit(
        self,
        inputs: NDArray[Any],
        labels: NDArray[np.int64],
        seed: int,
        after_epoch: Callable[[int], None] | None = None,
    ) -> None:
        """Train on the avatars at the training factors, each with its clip's label."""
        columns = [self.profile.alphas.index(alpha) for alpha in self.profile.train_alphas]
        copies = _copies(labels, self.profile)
        clips = np.repeat(np.arange(len(labels)), copies)
        images = inputs[clips, [column for count in copies for column in columns[:count]]]
        start = {name: torch.from_numpy(np.array(values)) for name, values in self.start.items()}

        def look(epoch: int, part: torch.nn.Module) -> None:
            self.weights = part  # what predict uses meanwhile
            if after_epoch is not None:
                after_epoch(epoch)

        trained = train(
            images,
            labels[clips],
            self.profile,
            start,
            seed=seed,
            device=self.device,
            after_epoch=look,
        )
        self.weights, self.digest = trained.state, trained.digest
        self.record = {
            "device": self.device,
            "precision": precision_here(self.profile, self.device),
            "epoch": self.profile.epochs,
            "trained_images": len(images),
            "losses": [round(loss, 6) for loss in trained.losses],
        }

    def predict(self, inputs: NDArray[Any]) -> NDArray[np.int64]:
        """Return the class of each clip, from its avatar at the test's factor."""
        seen = inputs[:, self.profile.alphas.index(self.profile.test_alpha)]
        return predict(seen, self.profile, self.weights, device=self.device).argmax(axis=1)


def precision_here(profile: TrainingProfile, device: str) -> str:
    """Return the precision that a profile is run in on this processor or card.

    Processors without AVX-512 only imitate bfloat16, nine times slower than float32 (measured: 1.8
    against 16.8 images of 64 px a second); there float32 takes its place. Weights then differ in their
    last digits, as they do between processors anyway.
    """
    imitated = device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "float32" if imitated else profile.precision


def _resnet34(outputs: int = len(CLASSES)) -> torch.nn.Module:
    return resnet34(num_classes=outputs)


def _layers(network: torch.nn.Module) -> list[torch.nn.Module]:
    return [getattr(network, name) for name in _LAYERS]


@functools.lru_cache(maxsize=2)
def _network(trainable: str, device: str, outputs: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Make the network and its trained part once a process; folds reset the weights in place."""
    if device.startswith("cuda"):  # wanted by cuBLAS for results that can be repeated
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    network: Any = _resnet34(outputs)
    for name in _LAYERS[: _FROZEN[trainable]]:  # inputs have been through them, see network_inputs
        setattr(network, name, torch.nn.Identity())
    network = network.to(device).to(memory_format=torch.channels_last)
    trained = _layers(network)[_FROZEN[trainable] :]
    return network, torch.nn.Sequential(*trained, torch.nn.Flatten(), network.fc)


def _prepared_network(
    profile: TrainingProfile, start: Mapping[str, torch.Tensor], device: str
) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Return the network without its frozen layers, every weight and buffer reset, and its trained part."""
    network, part = _network(profile.trainable, device, len(start["fc.bias"]))
    network.load_state_dict({name: start[name] for name in network.state_dict()})
    network.eval()
    return network, part


def _outputs(part: Any, batch: torch.Tensor, profile: TrainingProfile) -> torch.Tensor:
    """Run the trained part; on a GPU, compiled up to its last layer."""
    if not batch.is_cuda:
        return part(batch)
    full, rest = _compiled(part)
    return part[-1]((full if len(batch) == profile.batch_size else rest)(batch))


@functools.lru_cache(maxsize=2)
def _compiled(part: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compile for full batches, whose shape is always the same, and once more for the last, short one.

    A single compilation is made anew for every size that comes along. The two must be functions of
    their own: torch keeps what it has compiled with the function's code.
    """
    body = part[:-1]

    def full(batch: torch.Tensor) -> Any:
        return body(batch)

    def rest(batch: torch.Tensor) -> Any:
        return body(batch)

    return torch.compile(full, dynamic=False), torch.compile(rest, dynamic=True)


def _set_training(part: torch.nn.Module, profile: TrainingProfile) -> None:
    """Switch to training mode; frozen batch normalisation stays in evaluation mode."""
    part.train()
    if profile.freeze_batch_norm:
        for module in part.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()


def _batches(order: torch.Tensor, profile: TrainingProfile) -> list[torch.Tensor]:
    """Cut an order of images into batches."""
    batches = list(torch.split(order, profile.batch_size))
    short = len(batches[-1]) < profile.batch_size and profile.drop_last
    if len(batches) > 1 and (short or len(batches[-1]) < 2):  # one image has no statistics
        batches.pop()
    return batches


def _augmented(
    data: torch.Tensor, chosen: torch.Tensor, profile: TrainingProfile, generator: torch.Generator
) -> torch.Tensor:
    """Return a batch, randomly mirrored and varied as the profile says."""
    mirrored = torch.rand(len(chosen), generator=generator) < profile.flip_probability
    mirrored, places = mirrored.to(data.device), chosen.to(data.device)
    if data.shape[1] == 2:  # features of frozen layers: the mirror image's are the second view
        return _normalise(data[places, mirrored.long()])
    batch = data[places, 0]
    batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(-1), batch)
    if profile.varies_images:
        batch = _moved(_recoloured(batch.float(), profile, generator), profile, generator)
    return _normalise(batch)


def _uniform(count: int, reach: float, generator: torch.Generator) -> torch.Tensor:
    """Draw numbers between ``-reach`` and ``reach``."""
    return (2 * torch.rand(count, generator=generator) - 1) * reach


def _recoloured(
    batch: torch.Tensor, profile: TrainingProfile, generator: torch.Generator
) -> torch.Tensor:
    """Take the colour out of some images, change contrast and brightness of all."""
    from memaa_lib.clips import LUMA  # here: it reads videos, too, with what a GPU machine may lack

    count = len(batch)
    gray = torch.rand(count, generator=generator) < profile.gray_probability
    weights = torch.tensor(LUMA, device=batch.device).view(1, 3, 1, 1)
    without_colour = (batch * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    batch = torch.where(gray.to(batch.device).view(-1, 1, 1, 1), without_colour, batch)
    gain = 1 + _uniform(count, profile.contrast, generator).to(batch.device).view(-1, 1, 1, 1)
    offset = _uniform(count, 127.5 * profile.contrast, generator).to(batch.device)
    return ((batch - 127.5) * gain + 127.5 + offset.view(-1, 1, 1, 1)).clamp(0, 255)


def _moved(
    batch: torch.Tensor, profile: TrainingProfile, generator: torch.Generator
) -> torch.Tensor:
    """Turn, zoom and shift each image; what comes in from outside repeats the border."""
    count, side = len(batch), batch.shape[-1]
    angle = torch.deg2rad(_uniform(count, profile.rotation_degrees, generator))
    scale = 1 + _uniform(count, profile.zoom, generator)
    shift = _uniform(2 * count, 2 * profile.shift_px / side, generator).view(count, 2, 1)
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    turn = torch.stack([cosine, -sine, sine, cosine], dim=1).view(count, 2, 2)
    grid = torch.nn.functional.affine_grid(
        torch.cat([turn, shift], dim=2).to(batch.device), list(batch.shape), align_corners=False
    )
    return torch.nn.functional.grid_sample(
        batch, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def _copies(labels: NDArray[np.int64], profile: TrainingProfile) -> NDArray[np.int64]:
    """Return how many of the training factors each clip is trained on."""
    every = len(profile.train_alphas)
    if profile.class_weights != "copies":
        return np.full(len(labels), every)
    counts = np.bincount(labels, minlength=len(CLASSES))
    return np.clip(np.rint(counts.max() / counts[labels]), 1, every).astype(np.int64)


def _class_weights(target: torch.Tensor, profile: TrainingProfile) -> torch.Tensor | None:
    """Return weights inverse to the class frequencies, or None."""
    if profile.class_weights != "balanced":
        return None
    counts = torch.bincount(target, minlength=len(CLASSES)).float()
    return torch.where(counts > 0, counts.sum() / (len(CLASSES) * counts.clamp(min=1)), 0.0)


def _optimizer(part: torch.nn.Module, profile: TrainingProfile) -> torch.optim.Optimizer:
    """Make the optimizer over the trained weights."""
    rate, decay = profile.learning_rate, profile.weight_decay
    if profile.optimizer == "adamw":
        return torch.optim.AdamW(part.parameters(), rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(part.parameters(), rate, profile.momentum, weight_decay=decay)


def _schedule(
    optimizer: torch.optim.Optimizer, profile: TrainingProfile, batches_per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Make the schedule of the learning rate, advanced after every batch."""
    from torch.optim import lr_scheduler

    if profile.schedule == "halving":
        return lr_scheduler.StepLR(optimizer, profile.halve_every * batches_per_epoch, gamma=0.5)
    return lr_scheduler.OneCycleLR(
        optimizer,
        profile.learning_rate,
        total_steps=profile.epochs * batches_per_epoch + 1,
        pct_start=0.3,
        cycle_momentum=profile.optimizer == "sgd",
        max_momentum=profile.momentum,
    )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread in the block; parallel work is done by processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    """Forbid operations whose result depends on the order of threads."""
    before = torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # It helps to find mistakes in torch, and takes a twentieth of the time.
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        memory.fill_uninitialized_memory = filled


def _autocast(device: str, profile: TrainingProfile) -> contextlib.AbstractContextManager[Any]:
    """Mixed precision, or nothing."""
    mixed = precision_here(profile, device) == "bfloat16"
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=mixed)
