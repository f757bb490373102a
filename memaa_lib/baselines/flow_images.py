"""The input of the small networks: flow and strain from onset to apex as a tiny image.

The profile ``"laptop"`` takes DIS flow and divides each channel by its spread over the training clips,
so that a strong movement stays stronger than a weak one. The profile ``"paper"`` follows the authors:
TV-L1 flow, and each channel of each clip stretched to 0-255 by itself, by which the strength of a
movement is lost. That is our reading of their published inputs: the names of their folders say so, and
their learning rates fit that scale; we have not seen the images.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.baselines.classifiers import SIDE, NetSettings, SmallNet, System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import Estimator, onset_to_apex, optical_strain

OFF_APEXNET_SETTINGS = {
    "paper": NetSettings(3000, 1e-4, 256, "per clip"),
    "laptop": NetSettings(60, 5e-4, 64),
}
STSTNET_SETTINGS = {
    "paper": NetSettings(500, 5e-5, 256, "per clip"),
    "laptop": NetSettings(150, 2e-3, 64),
}
# We could not read how Dual-Inception was trained: one setting, which is ours
DUAL_INCEPTION_SETTINGS = NetSettings(40, 1e-3, 64)


def flow_image(flow: NDArray[np.floating], side: int = SIDE) -> NDArray[np.float32]:
    """Shrink a flow and its strain.

    Parameters
    ----------
    flow
        ``(H, W, 2)``, px.
    side
        Of the image, px.

    Returns
    -------
    ndarray
        ``float32`` ``(3, side, side)``: u, v and strain, px. Strain is worked out at full size first.

    Examples
    --------
    >>> flow_image(np.ones((56, 56, 2)))[:, 5, 5].tolist()
    [1.0, 1.0, 0.0]
    """
    flow = np.asarray(flow, np.float32)
    layers = np.dstack([flow, optical_strain(flow)])
    small = cv2.resize(layers, (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1), np.float32)


def clip_features(clip: FaceClip, estimator: Estimator = "dis") -> NDArray[np.float32]:
    """Return the input of the networks of 28 x 28 as a vector ``(2352,)``, see :func:`flow_image`."""
    return flow_image(onset_to_apex(clip, estimator)).ravel()


published_features = partial(clip_features, estimator="tvl1")


def off_apexnet(profile: str) -> SmallNet:
    """Return an untrained OFF-ApexNet."""
    # The networks are imported here because torch takes seconds to import.
    from memaa_lib.baselines.networks.off_apexnet import OffApexNet

    return SmallNet(OffApexNet, OFF_APEXNET_SETTINGS[profile])


def ststnet(profile: str) -> SmallNet:
    """Return an untrained STSTNet."""
    from memaa_lib.baselines.networks.ststnet import STSTNet

    return SmallNet(STSTNet, STSTNET_SETTINGS[profile])


def dual_inception(profile: str) -> SmallNet:
    """Return an untrained Dual-Inception network."""
    from memaa_lib.baselines.networks.dual_inception import DualInception

    return SmallNet(DualInception, DUAL_INCEPTION_SETTINGS)


SYSTEMS = (
    System(
        "off_apexnet",
        "OFF-ApexNet",
        "Gan et al. 2019",
        clip_features,
        off_apexnet,
        published_features,
    ),
    System("ststnet", "STSTNet", "Liong et al. 2019", clip_features, ststnet, published_features),
    System(
        "dual_inception",
        "Dual-Inception",
        "Zhou et al. 2019",
        clip_features,
        dual_inception,
    ),
)
