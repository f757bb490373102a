"""How the network is trained: the paper's settings (Table 1) and ours (Sec. 3.5).

The paper states Table 1, the batch size, flips and the halving of the learning rate. It does not
state the number of epochs, the starting weights, the loss or what happens to the last, smaller
batch. Every such choice is a named field of ``TrainingProfile``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from memaa_lib._support.errors import InputError
from memaa_lib.paper import TEST_ALPHA, TRAINING_ALPHAS

PAPERS_METHOD = "memaa"
"""Name of the paper's method among the systems."""

DEFAULT_METHOD = "motion_avatar"
"""What is trained unless another system is asked for; it learns on photographed faces as on rendered ones."""

IMAGENET_FILE = "resnet34-b627a593.pth"
"""torchvision's ImageNet weights; the digits are the start of the file's sha256."""

# What a field may be. Everything else that is checked stands in __post_init__.
_LEAST = {"image_size": 32, "batch_size": 2, "halve_every": 1, "epochs": 1}
_NUMBERS = (
    "learning_rate", "momentum", "weight_decay", "test_alpha", "shift_px", "rotation_degrees",
)  # fmt: skip
_SHARES = ("flip_probability", "gray_probability", "label_smoothing", "zoom", "contrast")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "initialisation": ("imagenet", "pretrained", "scratch"),
    "optimizer": ("sgd", "adamw"),
    "schedule": ("halving", "one-cycle"),
    "class_weights": ("none", "balanced", "copies"),
    "trainable": ("all", "layer4", "fc"),
    "precision": ("bfloat16", "float32"),
}


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
        among the *training* clips; ``"copies"``: plain cross-entropy, and a clip of a rarer class is
        trained on at more of ``train_alphas``, the first ones, so that classes are as equally
        frequent as their number allows. Not stated; the paper presents magnified copies of every
        clip as its remedy for imbalance, so none is assumed.
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
        precision is nearly twice as fast, and where a processor can only imitate it, float32 is
        taken.

    Raises
    ------
    InputError
        If a value is out of its range.

    Examples
    --------
    >>> PROFILES["paper"].batch_size
    128
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
        for name, least in _LEAST.items():
            value = getattr(self, name)
            self._need(name, type(value) is int and value >= least, f"a whole number >= {least}")
        for name in _NUMBERS:
            self._need(name, 0 <= getattr(self, name) < math.inf, "a number >= 0")
        for name in _SHARES:
            self._need(name, 0 <= getattr(self, name) <= 1, "between 0 and 1")
        for name, allowed in _CHOICES.items():
            self._need(name, getattr(self, name) in allowed, f"one of {', '.join(allowed)}")
        good = bool(self.train_alphas) and all(0 <= alpha < math.inf for alpha in self.train_alphas)
        self._need("train_alphas", good, "numbers >= 0, at least one")
        self._need("view", 0.2 <= self.view <= 1, "from 0.2 to 1")
        self._need("learning_rate", self.learning_rate > 0, "above 0")
        # Layers that are not trained must have learned something, and are run on images as they are.
        whole = self.trainable == "all"
        taught = whole or self.initialisation != "scratch"
        self._need("trainable", taught, "all when training from scratch")
        plain = whole or not self.varies_images
        self._need("trainable", plain, "all when training avatars are varied other than by flips")

    def _need(self, name: str, good: bool, wanted: str) -> None:
        """Refuse a field that is out of its range."""
        if not good:
            raise InputError(
                f"profile {self.name!r}: {name} must be {wanted}; got {getattr(self, name)!r}"
            )

    @property
    def alphas(self) -> list[float]:
        """Amplification factors of all avatars that are needed, in ascending order."""
        return sorted({*map(float, self.train_alphas), float(self.test_alpha)})

    @property
    def varies_images(self) -> bool:
        """Whether training avatars are varied other than by flips."""
        varied = (self.shift_px, self.rotation_degrees, self.zoom, self.contrast)
        return any(varied) or self.gray_probability > 0


PROFILES: Mapping[str, TrainingProfile] = MappingProxyType(
    {
        "paper": TrainingProfile(name="paper"),
        "paper-pretrained": TrainingProfile(name="paper-pretrained", initialisation="pretrained"),
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
"""``"paper"``: Table 1 as printed, from ImageNet's weights. ``"paper-pretrained"``: the same from weights
that were trained on avatars of further synthetic identities, since ImageNet's cannot be had everywhere.
``"laptop"``: what two CPU cores finish in minutes.

:meta hide-value:
"""


def profile_named(name: str | TrainingProfile, **changes: Any) -> TrainingProfile:
    """Return a profile by name, with some fields changed.

    Parameters
    ----------
    name
        A key of :data:`PROFILES`, or a profile.
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
    if not changes:
        return profile
    known = {field.name for field in fields(TrainingProfile)} - {"name"}
    if unknown := sorted(set(changes) - known):
        raise InputError(f"a profile has no field {unknown[0]!r}: {', '.join(sorted(known))}")
    suffix = ",".join(f"{field}={value}" for field, value in changes.items())
    return replace(profile, **{**changes, "name": f"{profile.name}+{suffix}"})
