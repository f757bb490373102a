"""ResNet-34 with three outputs, its training and its starting weights (Sec. 3.5, Table 1).

The paper states Table 1, the batch size, flips and the halving of the learning rate. It does not
state the number of epochs, the starting weights, the loss or what happens to the last, smaller
batch. Every such choice is a named field of ``TrainingProfile``.

``torch`` is imported inside the functions that need it, so importing this module costs nothing.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from pickle import UnpicklingError  # torch.load raises it where a file holds more than arrays
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.paper import CLASSES, TEST_ALPHA, TRAINING_ALPHAS
from memaa_lib.storage import (
    InputError,
    atomic_path,
)

if TYPE_CHECKING:
    import torch

CODE_VERSION = 2
"""Raise it when a change of this module changes trained weights: cached ones are then made anew."""

IMAGENET_FILE = "resnet34-b627a593.pth"
"""torchvision's ImageNet weights; the digits are the start of the file's sha256."""

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_FACE_CENTRE = (0.55, 0.5)  # row and column of the middle of the face, as shares of an avatar
_PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
_CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "initialisation": ("imagenet", "pretrained", "scratch"),
        "optimizer": ("sgd", "adamw"),
        "schedule": ("halving", "one-cycle"),
        "class_weights": ("none", "balanced"),
        "trainable": ("all", "layer4", "fc"),
        "precision": ("bfloat16", "float32"),
    }
)

StateDict = dict[str, "torch.Tensor"]
"""Weights and buffers by name, as torch keeps them."""


@dataclass(frozen=True)
class TrainingProfile:
    """Every choice of a training run; the defaults are the paper's where it states one.

    Parameters
    ----------
    name
        Name of the profile; results carry it.
    image_size
        Side of the network's input in px. The paper: 224.
    view
        Share of the avatar's side that the network sees, from above the brows to below the mouth.
        The paper: 1, the whole avatar. With small images the pixels are better spent on the face.
    train_alphas
        Amplification factors of the training avatars. The paper: 5, 10, 15. Whether unmagnified
        copies (0) were among them is not stated; "augmented with" could be read so.
    test_alpha
        Amplification factor of the test avatars. The paper: 10.
    initialisation
        Starting weights: ``"imagenet"`` (torchvision's), ``"pretrained"`` (avatars of further
        synthetic identities) or ``"scratch"``. Not stated; Table 1's schedule amounts to some 120
        steps at the full rate, which trains no ResNet-34 from scratch, so ImageNet is assumed.
    optimizer
        ``"sgd"`` (Table 1) or ``"adamw"``.
    learning_rate, momentum, weight_decay
        Table 1. Momentum is used by SGD only.
    batch_size
        The paper: 128.
    schedule
        ``"halving"``: the rate halves every ``halve_every`` epochs (the paper); ``"one-cycle"``:
        it rises for 30 % of the steps to ``learning_rate`` and falls to nothing.
    halve_every
        Epochs between two halvings. The paper: 5.
    epochs
        Passes over the training avatars. Not stated; after 30 the rate has fallen 64-fold and
        more would change nothing.
    drop_last
        Leave out the last, smaller batch of an epoch. Not stated; kept by default since dropping
        it would leave out up to a third of a small set. A last batch of one image is always left
        out, as batch normalisation needs two.
    class_weights
        ``"none"``: plain cross-entropy; ``"balanced"``: a class counts inversely to its frequency
        among the *training* clips. Not stated; the paper presents magnified copies as its remedy
        for imbalance, so none is assumed.
    trainable
        ``"all"`` weights, ``"layer4"`` (the last stage and the output) or ``"fc"`` (the output
        alone). Not stated; all is assumed.
    freeze_batch_norm
        Keep the starting running statistics in trained layers instead of batch statistics. Only
        useful with few training clips; layers that are not trained always keep theirs.
    flip_probability
        Chance of mirroring a training avatar left to right. The paper says "randomly flipped":
        one half, left to right, is assumed.
    shift_px, rotation_degrees, zoom
        Largest random shift (px, both axes), turn (either way) and change of size (share) of a
        training avatar. The paper mentions none of them: 0.
    contrast
        Largest random change of a training avatar's contrast (share) and of its brightness (share
        of the same size of the range). The paper mentions none: 0.
    gray_probability
        Chance of taking the colour out of a training avatar. The paper mentions none: 0.
    label_smoothing
        Share of the target spread over all classes. The paper mentions none: 0.
    precision
        ``"float32"``, or ``"bfloat16"`` for mixed precision (autocast). Not stated; mixed
        precision is nearly twice as fast.

    Raises
    ------
    InputError
        If a value is out of its range.

    Examples
    --------
    >>> PROFILES["paper"].batch_size
    128
    >>> TrainingProfile(name="odd", epochs=0)
    Traceback (most recent call last):
    memaa_lib.storage.InputError: profile 'odd': epochs must be a whole number >= 1; got 0
    """

    name: str
    image_size: int = 224
    view: float = 1.0
    train_alphas: tuple[float, ...] = TRAINING_ALPHAS
    test_alpha: float = TEST_ALPHA
    initialisation: str = "imagenet"
    optimizer: str = "sgd"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 128
    schedule: str = "halving"
    halve_every: int = 5
    epochs: int = 30
    drop_last: bool = False
    class_weights: str = "none"
    trainable: str = "all"
    freeze_batch_norm: bool = False
    flip_probability: float = 0.5
    shift_px: float = 0.0
    rotation_degrees: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    gray_probability: float = 0.0
    label_smoothing: float = 0.0
    precision: str = "bfloat16"

    def __post_init__(self) -> None:
        """Check every field."""
        for name, least in (
            ("image_size", 32),
            ("batch_size", 2),
            ("halve_every", 1),
            ("epochs", 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                self._refuse(name, f"a whole number >= {least}")
        for name in (
            "learning_rate",
            "momentum",
            "weight_decay",
            "test_alpha",
            "shift_px",
            "rotation_degrees",
        ):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                self._refuse(name, "a number >= 0")
        for name in (
            "flip_probability",
            "gray_probability",
            "label_smoothing",
            "zoom",
            "contrast",
        ):
            if not 0 <= getattr(self, name) <= 1:
                self._refuse(name, "between 0 and 1")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                self._refuse(name, f"one of {', '.join(allowed)}")
        if not self.train_alphas or not all(
            math.isfinite(alpha) and alpha >= 0 for alpha in self.train_alphas
        ):
            self._refuse("train_alphas", "numbers >= 0, at least one")
        if not 0.2 <= self.view <= 1:
            self._refuse("view", "from 0.2 to 1")
        if self.learning_rate == 0:
            self._refuse("learning_rate", "above 0")
        if self.trainable != "all" and self.initialisation == "scratch":
            self._refuse("trainable", "all when training from scratch")
        if self.trainable != "all" and self.varies_images:
            self._refuse("trainable", "all when training avatars are varied other than by flips")

    @property
    def varies_images(self) -> bool:
        """Whether training avatars are varied other than by flips."""
        varied = (self.shift_px, self.rotation_degrees, self.zoom, self.contrast)
        return any(varied) or self.gray_probability > 0

    def _refuse(self, name: str, wanted: str) -> None:
        """Raise the error of a field that is out of range."""
        raise InputError(
            f"profile {self.name!r}: {name} must be {wanted}; got {getattr(self, name)!r}"
        )


PROFILES: Mapping[str, TrainingProfile] = MappingProxyType(
    {
        "paper": TrainingProfile(name="paper"),
        "laptop": TrainingProfile(
            name="laptop",
            image_size=64,
            view=0.66,
            initialisation="pretrained",
            optimizer="adamw",
            learning_rate=3e-3,
            weight_decay=0.5,
            batch_size=32,
            schedule="one-cycle",
            epochs=20,
            class_weights="balanced",
            trainable="fc",
            freeze_batch_norm=True,
        ),
    }
)
"""``"paper"``: Table 1 as printed. ``"laptop"``: what two CPU cores finish in minutes.

:meta hide-value:
"""


def profile_named(name: str | TrainingProfile, **changes: Any) -> TrainingProfile:
    """Return a profile by name, with some fields changed.

    Parameters
    ----------
    name
        ``"paper"``, ``"laptop"``, or a profile.
    **changes
        Fields to change.

    Returns
    -------
    TrainingProfile
        Named like the original, with ``+`` and the changed fields behind.

    Raises
    ------
    InputError
        If there is no such profile or field.

    Examples
    --------
    >>> profile_named("paper", epochs=2).name
    'paper+epochs=2'
    """
    if isinstance(name, TrainingProfile):
        profile = name
    elif name in PROFILES:
        profile = PROFILES[name]
    else:
        raise InputError(f"unknown profile {name!r}: choose one of {', '.join(PROFILES)}")
    known = {field.name for field in fields(TrainingProfile)} - {"name"}
    for field in changes:
        if field not in known:
            raise InputError(f"a profile has no field {field!r}: {', '.join(sorted(known))}")
    if not changes:
        return profile
    suffix = ",".join(f"{field}={value}" for field, value in changes.items())
    return replace(profile, **{**changes, "name": f"{profile.name}+{suffix}"})


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
    import torch

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
    import torch

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


def write_weights(state: Mapping[str, torch.Tensor], folder: Path | str, stem: str) -> Path:
    """Write weights under a name that ends in the start of the file's sha256, as torchvision does.

    Parameters
    ----------
    state
        Weights and buffers.
    folder
        Where to write.
    stem
        Start of the file name.

    Returns
    -------
    pathlib.Path
        ``folder/stem-xxxxxxxx.pth``.
    """
    import torch

    # Through memory, since torch writes the name of an open file into the file.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    contents = buffer.getvalue()
    target = Path(folder) / f"{stem}-{hashlib.sha256(contents).hexdigest()[:8]}.pth"
    with atomic_path(target) as temporary:
        temporary.write_bytes(contents)
    return target


def read_weights(path: Path | str) -> StateDict:
    """Read a weights file whose name ends in the start of its sha256; nothing in it is executed.

    Parameters
    ----------
    path
        A file like ``resnet34-b627a593.pth``.

    Returns
    -------
    dict of torch.Tensor

    Raises
    ------
    InputError
        If the file is missing or damaged, or its name holds no hash.

    Examples
    --------
    >>> read_weights("resnet34-00000000.pth")
    Traceback (most recent call last):
    memaa_lib.storage.InputError: resnet34-00000000.pth: no such weights file
    """
    import torch

    path = Path(path)
    weights_file_digest(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contents = io.BytesIO(path.read_bytes())  # torch leaves a damaged file open
            state = torch.load(contents, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise InputError(
            f"{path}: not a file of weights alone ({reason}); fetch it again"
        ) from None
    if not isinstance(state, dict):
        raise InputError(f"{path}: holds no table of weights")
    return state


def weights_file_digest(path: Path | str) -> str:
    """Return 16 digits of a weights file's sha256, after comparing it with the file's name.

    Parameters
    ----------
    path
        See :func:`read_weights`. The file is not loaded, and ``torch`` is not either.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If the file is missing or damaged, or its name holds no hash.

    Examples
    --------
    >>> weights_file_digest("resnet34.pth")
    Traceback (most recent call last):
    memaa_lib.storage.InputError: resnet34.pth: no such weights file
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    named = re.fullmatch(r".*-([0-9a-f]{8,64})\.pth", path.name)
    if named is None:
        raise InputError(
            f"{path}: the name of a weights file ends in '-', the first 8 digits of its sha256 and "
            "'.pth', so that damage is noticed"
        )
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if not digest.startswith(named[1]):
        raise InputError(f"{path}: contents do not match the hash in the name; fetch it again")
    return digest[:16]


def weights_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return 16 digits that change with any weight or buffer.

    Parameters
    ----------
    state
        Weights and buffers.

    Returns
    -------
    str

    Examples
    --------
    >>> import torch
    >>> weights_digest({"a": torch.zeros(2)}) == weights_digest({"a": torch.zeros(3)})
    False
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}{values.shape}{values.dtype.str}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]


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
    import torch

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
    import torch

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
    import torch

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
    import torch

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
    from torchvision.models import resnet34

    return resnet34(num_classes=outputs)  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=2)
def _network(trainable: str, device: str, outputs: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Make the network and its trained part once a process; folds reset the weights in place."""
    import torch

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
    import torch

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
    import torch

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
    import torch

    return (2 * torch.rand(count, generator=generator) - 1) * reach


def _recoloured(
    batch: torch.Tensor, profile: TrainingProfile, generator: torch.Generator
) -> torch.Tensor:
    """Take the colour out of some images, change contrast and brightness of all."""
    import torch

    count = len(batch)
    gray = torch.rand(count, generator=generator) < profile.gray_probability
    weights = torch.tensor((0.299, 0.587, 0.114), device=batch.device).view(1, 3, 1, 1)
    without_colour = (batch * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    batch = torch.where(gray.to(batch.device).view(-1, 1, 1, 1), without_colour, batch)
    gain = 1 + _uniform(count, profile.contrast, generator).to(batch.device).view(-1, 1, 1, 1)
    offset = _uniform(count, 127.5 * profile.contrast, generator).to(batch.device)
    return ((batch - 127.5) * gain + 127.5 + offset.view(-1, 1, 1, 1)).clamp(0, 255)


def _moved(
    batch: torch.Tensor, profile: TrainingProfile, generator: torch.Generator
) -> torch.Tensor:
    """Turn, zoom and shift each image; what comes in from outside repeats the border."""
    import torch

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
    import torch

    return _normalise(batch) if batch.dtype == torch.uint8 else batch.float()


def _class_weights(target: torch.Tensor, profile: TrainingProfile) -> torch.Tensor | None:
    """Return weights inverse to the class frequencies, or None."""
    import torch

    if profile.class_weights == "none":
        return None
    counts = torch.bincount(target, minlength=len(CLASSES)).float()
    return torch.where(counts > 0, counts.sum() / (len(CLASSES) * counts.clamp(min=1)), 0.0)


def _optimizer(part: torch.nn.Module, profile: TrainingProfile) -> torch.optim.Optimizer:
    """Make the optimizer over the trained weights."""
    import torch

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
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    """Forbid operations whose result depends on the order of threads."""
    import torch

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
    import torch

    if profile.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16)
