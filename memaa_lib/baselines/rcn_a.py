"""RCN-A: flow and strain from onset to apex, and attention without weights (Xia et al. 2020).

Flow and its scaling are ours (:mod:`memaa_lib.baselines.flow_images`); the profile ``"paper"`` has the
training of the authors' program.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memaa_lib.baselines.classifiers import NetSettings, SmallNet, System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import onset_to_apex
from memaa_lib.baselines.flow_images import flow_image

SIDE = 60  # px
SETTINGS = {
    "paper": NetSettings(100, 5e-4, 64, momentum=0.9, decay=(10, 0.5)),
    "laptop": NetSettings(40, 1e-3, 64),
}


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return u, v and strain as a vector ``(10800,)``."""
    return flow_image(onset_to_apex(clip), SIDE).ravel()


def learner(profile: str) -> SmallNet:
    """Return an untrained RCN-A."""
    from memaa_lib.baselines.networks.rcn_a import RCNA

    return SmallNet(RCNA, SETTINGS[profile])


SYSTEMS = (System("rcn_a", "RCN-A", "Xia et al. 2020", clip_features, learner),)
