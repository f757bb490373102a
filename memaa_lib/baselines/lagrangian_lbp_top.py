"""LBP-TOP on clips whose motion was magnified, after Le Ngo et al. (2018).

As :mod:`memaa_lib.baselines.evm_lbp_top`, with :mod:`memaa_lib.experiments.lagrangian` in place of Eulerian
magnification. The head's own movement, the median of the flow, is not magnified. As we could read the
abstract alone, features and factors are our choices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.evm_lbp_top import ALPHAS, learner
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.lbp_top import lbp_top
from memaa_lib.experiments import lagrangian  # which itself imports from this package


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return LBP-TOP of a clip magnified by each of ``ALPHAS``, one after the other: ``(10800,)``."""
    magnified = lagrangian.magnify_motion(clip.faces, ALPHAS, still_head=True)
    return np.concatenate([lbp_top(frames) for frames in magnified])


SYSTEMS = (
    System(
        "lagrangian_lbp_top",
        "Lagrangian + LBP-TOP",
        "after Le Ngo et al. 2018",
        clip_features,
        learner,
    ),
)
