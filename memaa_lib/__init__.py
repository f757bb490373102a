"""Helper library of the MEMAA companion: one module for each section of the paper.

The paper is Kumar, Theagarajan, Peraza and Bhanu, *Classification of Facial Micro-expressions Using
Motion Magnified Emotion Avatar Images*, CVPR Workshops 2019. Data flow from top to bottom:

``clips`` read a clip, ``magnification`` (Sec. 3.1), ``texture`` (3.2), ``registration`` (3.3),
``avatar`` (3.4), ``profiles`` and ``network`` (3.5), ``protocol`` and ``metrics`` (4). ``paper`` holds
every number that is printed. What is ours stands in wings: ``baselines``, ``experiments``,
``datasets``, ``synthetic`` and ``figures``.

The names of the method can be imported from here, whichever module they stand in:
``from memaa_lib import load_clip, magnify, keep_frames, register, emotion_avatar``.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from memaa_lib._support.cache import place_compiled_code
from memaa_lib._support.errors import InputError

place_compiled_code(Path(__file__).with_name("_support"))

__version__ = "0.1.0"

_METHOD = {
    "clips": ("Clip", "read_clip", "sample_video", "to_gray"),
    "datasets": ("load_clip", "load_index", "load_truth", "load_truth_landmarks"),
    "datasets.twins.release": ("ensure_twin",),
    "datasets.examples": ("describe", "example_clip", "example_row", "label_noise"),
    "magnification": ("Magnification", "magnify", "psnr"),
    "texture": ("Scoring", "above_mean", "keep_frames", "texture_intensity"),
    "registration": ("crop_clip", "find_landmarks", "register"),
    "avatar": ("AvatarSettings", "clip_to_avatar", "emotion_avatar", "make_avatars"),
    "metrics": ("uar", "uf1"),
}
_HOME = {name: module for module, names in _METHOD.items() for name in names}
__all__ = ["InputError"]  # the rest is documented where it stands


def __getattr__(name: str) -> Any:
    """Import a name of the method when it is asked for: the library itself is imported at once."""
    if name not in _HOME:
        raise AttributeError(f"module 'memaa_lib' has no attribute {name!r}")
    return getattr(import_module(f"memaa_lib.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the names of the method, too."""
    return sorted({*globals(), *_HOME})
