"""DTSCNN: the flow between neighbouring frames, in two networks over space and time (Peng et al. 2017).

Clips are brought to 65 and to 129 frames by linear interpolation, which leaves 64 and 128 flows. A network
for each (:mod:`memaa_lib.baselines.networks.dtscnn`) is trained by itself; a linear support vector machine
then learns from what its last convolution finds, and of the two machines the surer one decides.

The profile ``"paper"`` sees the flow as coloured pictures, as the authors do, hue for direction and
saturation for length. The profile ``"laptop"`` takes the flow itself, shrunk to 28 x 28. It is measured
from the first frame, interpolated and then differenced: between neighbours out of 129 frames a face moves
by a few thousandths of a pixel, which no estimator sees.

What else differs from the publication: DIS flow in place of Liu's; no warp by landmarks; no copies of clips
with a border cut off (the authors choose the border anew in every frame, so that a face at rest jumps by
two pixels); how sure a machine is, is the softmax of its decision values.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.cache import fingerprint
from memaa_lib.baselines.classifiers import LinearMachine, NetSettings, SmallNet, System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import optical_flow

STEPS = (64, 128)
SIDE = 28  # px, of the small input
SIZE = (112, 96)  # rows, columns, px, of the published one
PENALTY = 1.0  # C of the support vector machines; the publication does not give it
SETTINGS = {
    "paper": NetSettings(30, 1e-4, 10, "8 bit", momentum=0.9, decay=(10, 0.1)),
    "laptop": NetSettings(20, 1e-3, 16),
}


def in_time(values: NDArray[Any], length: int) -> NDArray[np.float32]:
    """Bring values ``(T, ...)`` to another length by linear interpolation.

    Examples
    --------
    >>> in_time(np.array([0.0, 4.0, 6.0]), 5).tolist()
    [0.0, 2.0, 4.0, 5.0, 6.0]
    """
    place = np.linspace(0, len(values) - 1, length)
    before = np.minimum(place.astype(int), max(len(values) - 2, 0))
    after = np.minimum(before + 1, len(values) - 1)
    share = (place - before).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((1 - share) * values[before] + share * values[after], np.float32)


def clip_features(clip: FaceClip) -> NDArray[np.float16]:
    """Return the 128 flows of a clip as a vector: u and v, px of the face, ``(2 * 128 * 28 * 28,)``.

    The 64 flows are sums of two neighbours each: every other of 129 frames is one of 65.
    """
    faces = clip.faces
    flows = [cv2.resize(_flow_from(faces[0], face), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
             for face in faces]  # fmt: skip
    steps = np.diff(in_time(np.stack(flows), STEPS[1] + 1), axis=0)
    return steps.transpose(3, 0, 1, 2).astype(np.float16).ravel()


def _flow_from(first: NDArray[np.uint8], face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Nothing moves from a frame to itself, whatever the estimator says."""
    return np.zeros((*first.shape, 2), np.float32) if face is first else optical_flow(first, face)


def published_features(clip: FaceClip) -> NDArray[np.uint8]:
    """Return 64, then 128 coloured flow pictures, as a vector ``(3 * 192 * 112 * 96,)``."""
    pictures = []
    for steps in STEPS:
        frames = in_time(clip.faces, steps + 1).round().astype(np.uint8)
        flows = [optical_flow(*pair) for pair in pairwise(frames)]
        sized = [cv2.resize(flow, SIZE[::-1], interpolation=cv2.INTER_AREA) for flow in flows]
        pictures.append(coloured(np.stack(sized)).transpose(3, 0, 1, 2))
    return np.concatenate(pictures, axis=1).ravel()


def coloured(flows: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour flows ``(T, H, W, 2)``: hue for direction, saturation for length beside the longest.

    Examples
    --------
    >>> right, still = (1.0, 0.0), (0.0, 0.0)
    >>> coloured(np.array([[[right, still]]])).tolist()
    [[[[255, 0, 0], [255, 255, 255]]]]
    """
    length = np.linalg.norm(flows, axis=-1)
    angle = np.degrees(np.arctan2(flows[..., 1], flows[..., 0])) % 360
    parts = (angle, length / max(float(length.max()), 1e-6), np.ones_like(length))
    hsv = np.stack(parts, axis=-1).astype(np.float32)
    rows = cv2.cvtColor(hsv.reshape(1, -1, 3), cv2.COLOR_HSV2RGB)
    return (255 * rows).round().astype(np.uint8).reshape(*length.shape, 3)


class TwoStreams:
    """Both networks, each with its support vector machine; the surer machine decides.

    Parameters
    ----------
    profile
        ``"laptop"``, or ``"paper"`` for the published networks and training.
    settings
        How the networks are trained.
    """

    record: Mapping[str, Any] = {}

    def __init__(self, profile: str, settings: NetSettings) -> None:
        from memaa_lib.baselines.networks import dtscnn

        self.published = profile == "paper"
        networks = (
            (dtscnn.Published64, dtscnn.Published128)
            if self.published
            else (dtscnn.Small64, dtscnn.Small128)
        )
        self.networks = [SmallNet(network, settings) for network in networks]
        self.machines = [LinearMachine(PENALTY) for _ in networks]

    def fit(self, features: NDArray[Any], labels: NDArray[np.int64], seed: int = 0) -> None:
        """Train both streams, one after the other."""
        streams = zip(self.networks, self.machines, self._parts(features), strict=True)
        for network, machine, part in streams:
            network.fit(part, labels, seed)
            machine.fit(network.output(part, "code"), labels)

    def predict(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Return the code of every row."""
        streams = zip(self.networks, self.machines, self._parts(features), strict=True)
        sure = np.stack(
            [machine.confidence(network.output(part, "code")) for network, machine, part in streams]
        )
        return surer(sure, self.machines[0].machine.classes_)

    def _parts(self, features: NDArray[Any]) -> list[NDArray[Any]]:
        """Return what each stream sees."""
        clips = len(features)
        if self.published:
            pictures = features.reshape(clips, 3, sum(STEPS), -1)
            parts = [pictures[:, :, : STEPS[0]], pictures[:, :, STEPS[0] :]]
        else:
            fine = features.reshape(clips, 2, STEPS[0], 2, -1)
            parts = [fine.sum(axis=3), fine]
        return [part.reshape(clips, -1) for part in parts]

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""
        networks, machines = self.networks, self.machines
        return fingerprint([part.digest for part in networks], [part.digest for part in machines])


def surer(confidence: NDArray[np.floating], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class of the stream that is surer, of confidences ``(streams, N, classes)``.

    Examples
    --------
    >>> surer(np.array([[[0.6, 0.4]], [[0.1, 0.9]]]), np.array([0, 2]))
    array([2])
    """
    return classes[confidence.max(axis=0).argmax(axis=1)]


def learner(profile: str) -> TwoStreams:
    """Return the untrained system."""
    return TwoStreams(profile, SETTINGS[profile])


SYSTEMS = (
    System("dtscnn", "DTSCNN", "Peng et al. 2017", clip_features, learner, published_features),
)
