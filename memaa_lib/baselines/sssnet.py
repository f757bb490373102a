"""SSSNet: flow and strain from onset to apex as a larger image, in a plain network (Varanka et al. 2021).

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

SIDE = 64  # px
SETTINGS = {
    "paper": NetSettings(200, 1e-4, 256, weight_decay=1e-3),
    "laptop": NetSettings(40, 1e-3, 64, weight_decay=1e-3),
}


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return u, v and strain as a vector ``(12288,)``."""
    return flow_image(onset_to_apex(clip), SIDE).ravel()


def learner(profile: str) -> SmallNet:
    """Return an untrained SSSNet."""
    from memaa_lib.baselines.networks.sssnet import SSSNet

    return SmallNet(SSSNet, SETTINGS[profile])


SYSTEMS = (System("sssnet", "SSSNet", "Varanka et al. 2021", clip_features, learner),)
