"""The systems that the paper compares itself with (Table 3) and others, on the same folds.

Each has one function from a clip to a vector of features, and what learns from them.
:mod:`memaa_lib.protocol` finds them in its table, and runs them as it runs the paper's method. All of
it is written from the descriptions.
"""

from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip, apex_position, searched_apex, spotted_apex
from memaa_lib.baselines.systems import (
    SYSTEMS,
    cost_per_clip,
    make_features,
)

__all__ = [
    "SYSTEMS",
    "FaceClip",
    "System",
    "apex_position",
    "cost_per_clip",
    "make_features",
    "searched_apex",
    "spotted_apex",
]
