"""A compared system, and what learns in it: a linear support vector machine or a small network.

Both have ``fit(features, labels, seed)``, ``predict(features)`` and a digest of what they have learned,
as :class:`memaa_lib.protocol.Learner` asks.

``torch`` and ``sklearn`` are imported where they are needed, so importing this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""
        return fingerprint(self.machine.coef_, self.machine.intercept_)


def linear_machine(profile: str) -> Learner:
    """Return an untrained machine: it has one setting."""
    return LinearMachine()


@dataclass(frozen=True)
class NetSettings:
    """How a small network is trained: Adam, cross-entropy, no validation, no early stopping.

    ``scaling`` says how flow images are scaled: ``"one for all"`` divides each channel by its spread
    over the training clips, so that a strong movement stays stronger than a weak one; ``"per clip"``
    stretches each channel of each clip to 0-255 by itself.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    scaling: Literal["one for all", "per clip"] = "one for all"


class SmallNet:
    """A small network over flow images, on one thread.

    Parameters
    ----------
    network
        Makes the untrained network.
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

    def __init__(self, network: Callable[[], torch.nn.Module], settings: NetSettings) -> None:
        self.make, self.settings = network, settings
        self.network: torch.nn.Module | None = None
        self.scale = np.ones((1, 3, 1, 1), np.float32)

    def fit(self, features: NDArray[Any], labels: NDArray[np.int64], seed: int = 0) -> None:
        """Learn from u, v and strain ``(N, 2352)``, scaled as the settings say.

        The seed is of weights, order and dropout: the same one gives the same bytes.
        """
        import torch

        from memaa_lib.network import one_thread

        _check(features, labels)
        if self.settings.scaling == "one for all":
            spread = _as_images(features).std(axis=(0, 2, 3), keepdims=True)
            self.scale = np.maximum(spread, 1e-6)
        inputs, target = torch.from_numpy(self._inputs(features)), torch.from_numpy(labels)
        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.make().train()
            optimizer = torch.optim.Adam(
                network.parameters(), lr=self.settings.learning_rate, fused=True
            )
            for _ in range(self.settings.epochs):
                for chosen in torch.split(torch.randperm(len(inputs)), self.settings.batch_size):
                    if len(chosen) == 1:  # batch normalization has no statistics of one clip
                        continue
                    optimizer.zero_grad()
                    scores = network(inputs[chosen])
                    loss: Any = torch.nn.functional.cross_entropy(scores, target[chosen])
                    loss.backward()
                    optimizer.step()
        self.network = network.eval()

    def predict(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Return the code of every row."""
        import torch

        from memaa_lib.network import one_thread

        if self.network is None:
            raise InputError("the network has not been trained; call fit first")
        with one_thread(), torch.inference_mode():
            scores = self.network(torch.from_numpy(self._inputs(features)))
        return scores.argmax(dim=1).numpy()

    def _inputs(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return scaled images ``(N, 3, 28, 28)``."""
        images = _as_images(features)
        if self.settings.scaling == "one for all":
            return images / self.scale
        low, high = (end(axis=(2, 3), keepdims=True) for end in (images.min, images.max))
        return 255 * (images - low) / np.maximum(high - low, 1e-6)

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""
        return "" if self.network is None else weights_digest(self.network.state_dict())


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

    Examples
    --------
    >>> from memaa_lib.baselines import SYSTEMS
    >>> SYSTEMS["bi_woof"].title
    'Bi-WOOF'
    """

    name: str
    title: str
    source: str
    features: Callable[[FaceClip], NDArray[np.float32]]
    learner: Callable[[str], Learner] = linear_machine
    published: Callable[[FaceClip], NDArray[np.float32]] | None = None

    def features_of(self, profile: str) -> Callable[[FaceClip], NDArray[np.float32]]:
        """Return the features that a profile takes."""
        return self.published if profile == "paper" and self.published else self.features

    def shares(self, profile: str) -> str:
        """Return where the features are kept: systems with the same ones share them."""
        folder = self.features.__module__.rpartition(".")[2]
        return folder if self.features_of(profile) is self.features else f"{folder}-published"


def _as_images(features: NDArray[np.floating]) -> NDArray[np.float32]:
    features = np.asarray(features, np.float32)
    if features.ndim != 2 or features.shape[1] != 3 * SIDE * SIDE:
        raise InputError(f"features of {features.shape}; expected (N, {3 * SIDE * SIDE})")
    return features.reshape(-1, 3, SIDE, SIDE)


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
