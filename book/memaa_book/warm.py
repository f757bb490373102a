"""Imported by the process that kernels are forked from, when a whole book is to be made.

The paper's chain is run once, on a photograph. What that loads, such as dlib's landmark model of 100 MB and the
compiled kernels, is then there for every page.
"""

import contextlib

import memaa_lib.network  # noqa: F401 - torch takes seconds to import
from memaa_lib import Clip, clip_to_avatar
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import one_opencv_thread
from memaa_lib.datasets.twins.release import generator_signature
from memaa_lib.figures import raised_brows
from memaa_lib.paper import DATASETS, TEST_ALPHA

# What is missing is said by the page that needs it. A process is forked safely as long as it has one thread.
with contextlib.suppress(InputError), one_opencv_thread():
    for dataset in DATASETS:
        generator_signature(dataset)  # looks through the renderer's sources
    clip_to_avatar(Clip(raised_brows([0, 1, 0]), fps=25), TEST_ALPHA)
