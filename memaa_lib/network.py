"""ResNet-34 with three outputs, its training and its starting weights (Sec. 3.5, Table 1).

The paper states Table 1, the batch size, flips and the halving of the learning rate. It does not
state the number of epochs, the starting weights, the loss or what happens to the last, smaller
batch. Every such choice is a named field of ``TrainingProfile``.

It needs ``torch``, which takes seconds to import, and is itself imported only to fit or to predict.
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
from memaa_lib.clips import LUMA
from memaa_lib.paper import CLASSES
from memaa_lib.profiles import IMAGENET_FILE, TrainingProfile

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_FACE_CENTRE = (0.55, 0.5)  # row and column of the middle of the face, as shares of an avatar
_PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")


# ------------------------------------------------------------------------------------- weights


def scratch_weights(seed: int = 0, outputs: int = len(CLASSES)) -> StateDict:
    """Return random starting weights of ResNet-34.

    Parameters
    ----------
    seed
        Seed; torch's own random state is left alone.
    outputs
        Number of outputs: three, and more where pre-training has other things to learn.

    Returns
    -------
    dict of torch.Tensor
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dict(_resnet34(outputs).state_dict())


def imagenet_weights(path: Path | str | None = None, seed: int = 0) -> StateDict:
    """Return torchvision's ImageNet weights with a new, random output layer.

    Parameters
    ----------
    path
        The file ``resnet34-b627a593.pth``; None downloads it into torch's cache.
    seed
        Seed of the output layer.

    Returns
    -------
    dict of torch.Tensor

    Raises
    ------
    InputError
        If the file is missing, is not the one torchvision publishes, or cannot be downloaded.
    """
    if path is None:
        path = _download_imagenet()
    elif Path(path).name != IMAGENET_FILE:
        raise InputError(f"{path}: ImageNet weights are expected in a file named {IMAGENET_FILE}")
    state = {name: value for name, value in read_weights(path).items() if "fc." not in name}
    return {**scratch_weights(seed), **state}


def _download_imagenet() -> Path:
    """Fetch torchvision's file into torch's cache."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    target = folder / IMAGENET_FILE
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        url = f"https://download.pytorch.org/models/{IMAGENET_FILE}"
        try:
            with atomic_path(target) as temporary:
                torch.hub.download_url_to_file(url, str(temporary), "b627a593", progress=False)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{url} cannot be had ({error}): give the file by hand, or choose "
                "initialisation='pretrained' or 'scratch'"
            ) from error
    return target


# -------------------------------------------------------------------------------------- inputs


def resize_avatars(avatars: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize square images: area averages to shrink, linear interpolation to enlarge.

    Parameters
    ----------
    avatars
        ``(..., S, S, 3)`` uint8.
    size
        Side wanted in px.

    Returns
    -------
    numpy.ndarray
        ``(..., size, size, 3)`` uint8.

    Raises
    ------
    InputError
        If the images are not square uint8 RGB.

    Examples
    --------
    >>> resize_avatars(np.full((2, 4, 64, 64, 3), 7, np.uint8), 32).shape
    (2, 4, 32, 32, 3)
    """
    side = _checked_side(avatars)
    if side == size:
        return avatars
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    flat = avatars.reshape(-1, side, side, 3)
    resized = np.stack([cv2.resize(image, (size, size), interpolation=method) for image in flat])
    return np.asarray(resized.reshape(*avatars.shape[:-3], size, size, 3), dtype=np.uint8)


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


def face_view(avatars: NDArray[np.uint8], view: float) -> NDArray[np.uint8]:
    """Cut a square about the middle of the face out of avatars.

    Parameters
    ----------
    avatars
        ``(..., S, S, 3)`` uint8.
    view
        Side of the square as a share of S; 1 keeps everything.

    Returns
    -------
    numpy.ndarray
        ``(..., s, s, 3)`` uint8.

    Raises
    ------
    InputError
        If the images are not square uint8 RGB.

    Examples
    --------
    >>> face_view(np.zeros((2, 224, 224, 3), np.uint8), 0.66).shape
    (2, 148, 148, 3)
    """
    whole = _checked_side(avatars)
    side = round(view * whole)
    top, left = (
        round(np.clip(centre * whole - side / 2, 0, whole - side)) for centre in _FACE_CENTRE
    )
    return avatars[..., top : top + side, left : left + side, :]


def network_inputs(
    avatars: NDArray[np.uint8], profile: TrainingProfile, start: Mapping[str, torch.Tensor]
) -> NDArray[Any]:
    """Turn avatars into what the trained part of the network takes.

    With ``trainable="all"`` that is the resized images. Otherwise the layers below the trained ones
    never change, so their output is computed once, for the image and for its mirror image. Each
    image is treated alone (running statistics of batch normalisation), so no clip touches another.

    Parameters
    ----------
    avatars
        ``(..., S, S, 3)`` uint8.
    profile
        Image size, view and trained part.
    start
        Starting weights.

    Returns
    -------
    numpy.ndarray
        ``(..., 1, 3, s, s)`` uint8, or ``(..., 2, C, h, w)`` float16 features of the image and
        its mirror image.
    """
    images = resize_avatars(face_view(avatars, profile.view), profile.image_size)
    channels_first = np.ascontiguousarray(np.moveaxis(images, -1, -3))
    if profile.trainable == "all":
        return channels_first[..., np.newaxis, :, :, :]
    flat = channels_first.reshape(-1, *channels_first.shape[-3:])
    views = [_frozen_features(view, profile, start) for view in (flat, flat[..., ::-1])]
    features = np.stack(views, axis=1)
    return features.reshape(*avatars.shape[:-3], *features.shape[1:])


def _frozen_features(
    images: NDArray[np.uint8], profile: TrainingProfile, start: Mapping[str, torch.Tensor]
) -> NDArray[np.float16]:
    """Run the layers below the trained ones, in evaluation mode."""
    network = _resnet34()
    network.load_state_dict(dict(start))
    cut = {"layer4": "layer4", "fc": "fc"}[profile.trainable]
    names = _PARTS[: _PARTS.index(cut)] if cut in _PARTS else _PARTS
    lower = torch.nn.Sequential(*(getattr(network, name) for name in names)).eval()
    lower = lower.to(memory_format=torch.channels_last)
    batches = []
    with torch.inference_mode(), _autocast("cpu", profile), one_thread():
        for first in range(0, len(images), 64):
            batch = torch.from_numpy(np.ascontiguousarray(images[first : first + 64]))
            batches.append(lower(_normalise(batch)).to(torch.float16).contiguous().numpy())
    return np.concatenate(batches)


def _normalise(batch: torch.Tensor) -> torch.Tensor:
    """Turn uint8 ``(N, 3, H, W)`` into ImageNet's zero mean and unit deviation."""
    mean = torch.tensor(_IMAGENET_MEAN, device=batch.device).view(1, 3, 1, 1)
    deviation = torch.tensor(_IMAGENET_STD, device=batch.device).view(1, 3, 1, 1)
    scaled = (batch.float() / 255.0 - mean) / deviation
    return scaled.contiguous(memory_format=torch.channels_last)


# ------------------------------------------------------------------------------------ training


@dataclass(frozen=True)
class Trained:
    """Outcome of one training run.

    Parameters
    ----------
    state
        All weights and buffers of the network.
    losses
        Mean training loss of each epoch.
    digest
        Digest of ``state``.
    """

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
    network, trained_part = _prepared_network(profile, start, device)
    data = torch.from_numpy(np.ascontiguousarray(inputs)).to(device)
    target = torch.from_numpy(np.asarray(labels, dtype=np.int64)).to(device)
    loss_function = torch.nn.CrossEntropyLoss(
        weight=_class_weights(target, profile), label_smoothing=profile.label_smoothing
    )
    side = None if side_targets is None else torch.tensor(side_targets, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    batches_per_epoch = len(_batches(torch.arange(len(target)), profile))
    optimizer = _optimizer(trained_part, profile)
    schedule = _schedule(optimizer, profile, batches_per_epoch)
    losses = []
    with _deterministic(), one_thread():
        for epoch in range(1, profile.epochs + 1):
            _set_training(trained_part, profile)
            total = 0.0
            order = torch.randperm(len(target), generator=generator)
            for chosen in _batches(order, profile):
                batch = _augmented(data, chosen, profile, generator)
                with _autocast(device, profile):
                    outputs = trained_part(batch).float()
                loss = loss_function(outputs[:, : len(CLASSES)], target[chosen.to(device)])
                if side is not None:
                    error = outputs[:, len(CLASSES) :] - side[chosen].to(device)
                    loss = loss + error.square().mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                total += float(loss.detach())
            losses.append(total / batches_per_epoch)
            if after_epoch is not None:
                after_epoch(epoch, trained_part)
    state = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    return Trained(state, tuple(losses), weights_digest(state))


def predict(
    inputs: NDArray[Any],
    profile: TrainingProfile,
    weights: Mapping[str, torch.Tensor] | torch.nn.Module,
    *,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return the network's outputs for avatars.

    Parameters
    ----------
    inputs
        ``(N, V, ...)``, as ``network_inputs`` makes them; the first view is used.
    profile
        The settings the weights were trained with.
    weights
        Weights, or the trained part of a network.
    device
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    numpy.ndarray
        ``(N, 3)`` float32 scores before the softmax; the largest names the class. Computed in
        float32 whatever the precision of training.
    """
    if isinstance(weights, torch.nn.Module):
        part = weights
    else:
        _, part = _prepared_network(profile, weights, device)
    part.eval()
    outputs = []
    with torch.inference_mode(), one_thread():
        for first in range(0, len(inputs), 64):
            batch = torch.from_numpy(np.ascontiguousarray(inputs[first : first + 64, 0]))
            outputs.append(part(_as_network_input(batch.to(device))).float().cpu().numpy())
    return np.concatenate(outputs) if outputs else np.zeros((0, len(CLASSES)), np.float32)


def _resnet34(outputs: int = len(CLASSES)) -> torch.nn.Module:
    """Make the network."""
    return resnet34(num_classes=outputs)  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=2)
def _network(trainable: str, device: str, outputs: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Make the network and its trained part once a process; folds reset the weights in place."""
    if device.startswith("cuda"):  # wanted by cuBLAS for results that can be repeated
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    network: Any = _resnet34(outputs).to(device).to(memory_format=torch.channels_last)
    if trainable == "all":
        part: torch.nn.Module = network
    elif trainable == "layer4":
        part = torch.nn.Sequential(network.layer4, network.avgpool, torch.nn.Flatten(), network.fc)
    else:
        part = torch.nn.Sequential(torch.nn.Flatten(), network.fc)
    if device.startswith("cuda"):
        part = torch.compile(part)  # type: ignore[assignment]
    return network, part


def _prepared_network(
    profile: TrainingProfile, start: Mapping[str, torch.Tensor], device: str
) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Return the network with every weight and buffer reset, and its trained part."""
    network, part = _network(profile.trainable, device, len(start["fc.bias"]))
    network.load_state_dict(dict(start))
    network.eval()
    return network, part


def _set_training(part: torch.nn.Module, profile: TrainingProfile) -> None:
    """Switch to training mode; frozen batch normalisation stays in evaluation mode."""
    part.train()
    if profile.freeze_batch_norm:
        for module in part.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()


def _batches(order: torch.Tensor, profile: TrainingProfile) -> list[torch.Tensor]:
    """Cut an order of images into batches."""
    batches = [
        order[first : first + profile.batch_size]
        for first in range(0, len(order), profile.batch_size)
    ]
    short = len(batches[-1]) < profile.batch_size and profile.drop_last
    if len(batches) > 1 and (short or len(batches[-1]) < 2):
        batches.pop()
    return batches


def _augmented(
    data: torch.Tensor, chosen: torch.Tensor, profile: TrainingProfile, generator: torch.Generator
) -> torch.Tensor:
    """Return a batch, randomly mirrored and varied as the profile says."""
    mirrored = torch.rand(len(chosen), generator=generator) < profile.flip_probability
    mirrored, places = mirrored.to(data.device), chosen.to(data.device)
    if data.shape[1] == 2:
        return _as_network_input(data[places, mirrored.long()])
    batch = data[places, 0]
    batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(-1), batch)
    if not profile.varies_images:
        return _as_network_input(batch)
    varied = _moved(_recoloured(batch.float(), profile, generator), profile, generator)
    return _normalise(varied)


def _uniform(count: int, reach: float, generator: torch.Generator) -> torch.Tensor:
    """Draw numbers between ``-reach`` and ``reach``."""
    return (2 * torch.rand(count, generator=generator) - 1) * reach


def _recoloured(
    batch: torch.Tensor, profile: TrainingProfile, generator: torch.Generator
) -> torch.Tensor:
    """Take the colour out of some images, change contrast and brightness of all."""
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


def _as_network_input(batch: torch.Tensor) -> torch.Tensor:
    """Normalise images; features only become float32."""
    return _normalise(batch) if batch.dtype == torch.uint8 else batch.float()


def _class_weights(target: torch.Tensor, profile: TrainingProfile) -> torch.Tensor | None:
    """Return weights inverse to the class frequencies, or None."""
    if profile.class_weights == "none":
        return None
    counts = torch.bincount(target, minlength=len(CLASSES)).float()
    return torch.where(counts > 0, counts.sum() / (len(CLASSES) * counts.clamp(min=1)), 0.0)


def _optimizer(part: torch.nn.Module, profile: TrainingProfile) -> torch.optim.Optimizer:
    """Make the optimizer over the trained weights."""
    parameters = list(part.parameters())
    if profile.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=profile.learning_rate,
            momentum=profile.momentum,
            weight_decay=profile.weight_decay,
        )
    return torch.optim.AdamW(
        parameters, lr=profile.learning_rate, weight_decay=profile.weight_decay, fused=True
    )


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
    # it helps to find mistakes in torch and takes a twentieth of the time
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        memory.fill_uninitialized_memory = filled


def _autocast(device: str, profile: TrainingProfile) -> contextlib.AbstractContextManager[Any]:
    """Mixed precision, or nothing."""
    if profile.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16)
