"""Helper library of the MEMAA companion: one module for each section of the paper.

The paper is Kumar, Theagarajan, Peraza and Bhanu, *Classification of Facial Micro-expressions Using
Motion Magnified Emotion Avatar Images*, CVPR Workshops 2019. Data flow from top to bottom:

``clips`` read a clip, ``magnification`` (Sec. 3.1), ``texture`` (3.2), ``registration`` (3.3),
``avatar`` (3.4), ``profiles`` and ``network`` (3.5), ``protocol`` and ``metrics`` (4). ``paper`` holds
every number that is printed. What is ours stands in wings: ``baselines``, ``experiments``,
``datasets``, ``synthetic`` and ``figures``.
"""

from memaa_lib._support.errors import InputError

__all__ = ["InputError"]

__version__ = "0.1.0"
