"""A compared system, and what learns in it: a linear support vector machine or a small network.

Both have ``fit(features, labels, seed)``, ``predict(features)`` and a digest of what they have learned,
as :class:`memaa_lib.protocol.Learner` asks.

``torch`` and ``sklearn`` are imported where they are needed, so importing this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.cache import fingerprint
from memaa_lib._support.errors import InputError
from memaa_lib._support.weights import weights_digest
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.protocol import Learner

if TYPE_CHECKING:
    import torch

SIDE = 28  # px, of the images that the small networks see
SYSTEM_PROFILES = ("paper", "laptop")
PENALTY = 10_000.0  # C of the support vector machines, from the challenge organizers' group


class LinearMachine:
    """Linear support vector machine, one against one.

    Parameters
    ----------
    penalty
        C. At 10,000 hardly any training clip may be on the wrong side.

    Examples
    --------
    >>> machine = LinearMachine()
    >>> machine.fit(np.eye(3), np.array([0, 1, 2]))
    >>> machine.predict(np.eye(3)[::-1])
    array([2, 1, 0])
    """

    record: Mapping[str, Any] = {}

    def __init__(self, penalty: float = PENALTY) -> None:
        from sklearn.svm import SVC

        self.machine = SVC(kernel="linear", C=penalty)

    def fit(self, features: NDArray[Any], labels: NDArray[np.int64], seed: int = 0) -> None:
        """Learn from features ``(N, D)``; nothing in it is random."""
        _check(features, labels)
        self.machine.fit(np.asarray(features, np.float64), labels)

    def predict(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Return the code of every row."""
        return self.machine.predict(np.asarray(features, np.float64))

    def confidence(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the softmax of the decision values, ``(N, C)``."""
        values = np.asarray(self.machine.decision_function(np.asarray(features, np.float64)))
        if values.ndim == 1:  # two classes have one value
            values = np.stack([-values, values], axis=1) / 2
        raised = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""
        return fingerprint(self.machine.coef_, self.machine.intercept_)


def linear_machine(profile: str) -> Learner:
    """Return an untrained machine: it has one setting."""
    return LinearMachine()


@dataclass(frozen=True)
class NetSettings:
    """How a small network is trained: cross-entropy, no validation, no early stopping.

    Parameters
    ----------
    epochs, learning_rate, batch_size
        As the names say.
    scaling
        How the input is scaled. ``"one for all"`` divides each channel by its spread over the training
        clips, so that a strong movement stays stronger than a weak one; ``"per clip"`` stretches each
        channel of each clip to 0-255 by itself; ``"8 bit"`` takes pictures of 8 bits to 0-1.
    weight_decay
        Of all weights.
    momentum
        Of stochastic gradient descent; None: Adam.
    decay
        Every so many epochs the learning rate is multiplied by a factor.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    scaling: Literal["one for all", "per clip", "8 bit"] = "one for all"
    weight_decay: float = 0.0
    momentum: float | None = None
    decay: tuple[int, float] = (1, 1.0)

    def optimizer(self, weights: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return what changes the weights."""
        import torch

        given: dict[str, Any] = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        if self.momentum is None:
            return torch.optim.Adam(weights, fused=True, **given)
        return torch.optim.SGD(weights, momentum=self.momentum, **given)


class SmallNet:
    """A small network, on one thread.

    Parameters
    ----------
    network
        Makes the untrained network; its ``SHAPE`` is that of a clip to it, channels first.
    settings
        How to train it.

    Examples
    --------
    >>> from memaa_lib.baselines.networks.ststnet import STSTNet
    >>> net = SmallNet(STSTNet, NetSettings(2, 1e-3, 4))
    >>> features = np.random.default_rng(0).normal(size=(6, 2352))
    >>> net.fit(features, np.array([0, 1, 2, 0, 1, 2]))
    >>> net.predict(features).shape
    (6,)
    """

    record: Mapping[str, Any] = {}

    def __init__(self, network: Any, settings: NetSettings) -> None:
        self.make, self.settings = network, settings
        self.network: torch.nn.Module | None = None
        self.scale: Any = 1.0

    def fit(self, features: NDArray[Any], labels: NDArray[np.int64], seed: int = 0) -> None:
        """Learn from features ``(N, D)``, each the network's input made flat.

        The seed is of weights, order and dropout: the same one gives the same bytes.
        """
        import torch

        from memaa_lib.network import one_thread

        _check(features, labels)
        images = self._as_images(features)
        if self.settings.scaling == "one for all":
            but_channels = (0, *range(2, images.ndim))
            spread = images.std(axis=but_channels, keepdims=True, dtype=np.float32)
            self.scale = np.maximum(spread, 1e-6)
        target = torch.from_numpy(labels)
        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.make().train()
            optimizer = self.settings.optimizer(network.parameters())
            slower = torch.optim.lr_scheduler.StepLR(optimizer, *self.settings.decay)
            for _ in range(self.settings.epochs):
                for chosen in torch.split(torch.randperm(len(images)), self.settings.batch_size):
                    # batch normalization has no statistics of one clip
                    if len(chosen) == 1 < self.settings.batch_size:
                        continue
                    optimizer.zero_grad()
                    scores = network(torch.from_numpy(self._scaled(images[chosen.numpy()])))
                    loss: Any = torch.nn.functional.cross_entropy(scores, target[chosen])
                    loss.backward()
                    optimizer.step()
                slower.step()
        self.network = network.eval()

    def predict(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Return the code of every row."""
        return self.output(features).argmax(axis=1)

    def output(self, features: NDArray[Any], part: str | None = None) -> NDArray[np.float32]:
        """Return what the network says of every row, or what one of its parts does."""
        import torch

        from memaa_lib.network import one_thread

        if self.network is None:
            raise InputError("the network has not been trained; call fit first")
        asked = self.network.get_submodule(part or "")
        with one_thread(), torch.inference_mode():
            parts = [
                asked(torch.from_numpy(self._scaled(images))).numpy()
                for images in _batches(self._as_images(features))
            ]
        return np.concatenate(parts)

    def _as_images(self, features: NDArray[Any]) -> NDArray[Any]:
        """Return the features in the shape that the network takes."""
        length = int(np.prod(self.make.SHAPE))
        if features.ndim != 2 or features.shape[1] != length:
            raise InputError(f"features of {features.shape}; expected (N, {length})")
        return features.reshape(-1, *self.make.SHAPE)

    def _scaled(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Scale a batch; all clips at once would not fit into memory where an input is large."""
        images = images.astype(np.float32)
        if self.settings.scaling == "per clip":
            inner = tuple(range(2, images.ndim))
            low, high = (end(axis=inner, keepdims=True) for end in (images.min, images.max))
            return np.asarray(255 * (images - low) / np.maximum(high - low, 1e-6))
        return np.asarray(images / (255 if self.settings.scaling == "8 bit" else self.scale))

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""
        return "" if self.network is None else weights_digest(self.network.state_dict())


def _batches(images: NDArray[Any], size: int = 64) -> list[NDArray[Any]]:
    return [images[first : first + size] for first in range(0, len(images), size)]


@dataclass(frozen=True)
class System:
    """A compared system: features of a clip, and what learns from them.

    A module of :mod:`memaa_lib.baselines` ends with those that it brings: ``SYSTEMS = (System(...),)``.

    Parameters
    ----------
    name
        As on the command line.
    title
        As in the paper's Table 3, where it is there.
    source
        Where it is described.
    features
        From a clip to a vector.
    learner
        From the name of a profile to what learns. The profile ``"paper"`` takes the training settings
        that were published, ``"laptop"`` settings that two cores finish in minutes.
    published
        The features as they were published, where ours differ; the profile ``"paper"`` takes them.
    profiles
        The profiles that it has; a system that was published nowhere has ``"laptop"`` alone.

    Examples
    --------
    >>> from memaa_lib.baselines import SYSTEMS
    >>> SYSTEMS["bi_woof"].title
    'Bi-WOOF'
    """

    name: str
    title: str
    source: str
    features: Callable[[FaceClip], NDArray[Any]]
    learner: Callable[[str], Learner] = linear_machine
    published: Callable[[FaceClip], NDArray[Any]] | None = None
    profiles: tuple[str, ...] = SYSTEM_PROFILES

    def features_of(self, profile: str) -> Callable[[FaceClip], NDArray[Any]]:
        """Return the features that a profile takes."""
        return self.published if profile == "paper" and self.published else self.features

    def shares(self, profile: str) -> str:
        """Return where the features are kept: systems with the same ones share them."""
        folder = self.features.__module__.rpartition(".")[2]
        return folder if self.features_of(profile) is self.features else f"{folder}-published"


def _check(features: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
    """Refuse features that nothing can learn from."""
    if features.ndim != 2 or len(features) != len(labels):
        raise InputError(
            f"features of {features.shape} and {len(labels)} labels; expected one row a clip"
        )
    if len(np.unique(labels)) < 2:
        raise InputError("the training clips hold a single class; expected at least two")
    if not np.isfinite(features).all():
        raise InputError("features hold values that are not finite; make them again")
