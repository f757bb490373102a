"""From the paper's avatar to the motion avatar, one step at a time.

Each step changes one thing, and the same classifier looks at what comes out: logistic regression on a grid
of 14 x 14. So a step's gain is what the picture gained, and not what a larger network made of it. What
came out best on the twins of one seed, in which nobody of the test occurs, is
:mod:`memaa_lib.baselines.motion_avatar`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib import metrics
from memaa_lib._support.cache import VERSION, fingerprint, kept_arrays
from memaa_lib._support.running import all_kept_or_made
from memaa_lib.avatar import AvatarSettings
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import onset_to_apex, optical_flow
from memaa_lib.baselines.flow_images import flow_image, off_apexnet
from memaa_lib.baselines.motion_avatar import (
    GRID,
    learner,
    mean_motion,
    motion_picture,
    still,
)
from memaa_lib.baselines.motion_avatar import (
    clip_features as motion_avatar,
)
from memaa_lib.baselines.systems import ComparedSystem
from memaa_lib.clips import resize, to_gray
from memaa_lib.datasets import ClipRow, load_clip, rows_of
from memaa_lib.datasets.layout import clip_fingerprint
from memaa_lib.experiments.ablations import ARMS, Arm, clip_pictures
from memaa_lib.experiments.reference_runs import Runs, Tables
from memaa_lib.magnification import Magnification
from memaa_lib.paper import TEST_ALPHA
from memaa_lib.protocol import evaluate, load_members, make_folds

MOTION_AVATAR = "strain beside the flow: the motion avatar"
NETWORK = "OFF-ApexNet's network in place of the regression"
BOUND = "told the apex: the flow to it, with strain"
OFF_APEXNET = "told the apex: OFF-ApexNet"
STEPS: Mapping[str, str] = {
    "the paper's avatar": "avatar",
    "minus the face at rest": "difference",
    "flow from the face at rest to the avatar": "flow",
    "filter started from the mean of five frames": "late",
    "magnified along the flow, after Le Ngo et al.": "lagrangian",
    "no magnification": "plain",
    "mean of the flows, in place of flow to the mean": "mean",
    "face at rest: mean of three frames": "rest",
    MOTION_AVATAR: "strain",
    "frames weighted, most in the middle": "weighted",
    NETWORK: "image",
    BOUND: "apex",
    OFF_APEXNET: "apex image",
}
"""What each step changes, and what the classifier sees then.

:meta hide-value:
"""
CHANGED: Mapping[str, str] = {
    "difference": "avatar",
    "flow": "difference",
    "late": "flow",
    "lagrangian": "flow",
    "plain": "flow",
    "mean": "plain",
    "rest": "mean",
    "strain": "rest",
    "weighted": "strain",
    "image": "strain",
    "apex": "strain",
    "apex image": "strain",
}
"""Which picture a step is a change of; the last two, which are told the apex, are held against the motion
avatar.

:meta hide-value:
"""


LAGRANGIAN = Arm("lagrangian", settings=AvatarSettings(Magnification(method="lagrangian")))


def gains(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what each step gains over the one that it changes.

    Parameters
    ----------
    runs
        Step to predictions, as of :func:`ladder`.

    Returns
    -------
    pandas.DataFrame
        One row a step: UF1 ``gained``, and ``low`` and ``high`` of its 95 % interval, from a paired
        bootstrap over subjects.
    """
    steps = {picture: step for step, picture in STEPS.items()}
    rows = {}
    for picture, before in CHANGED.items():
        if steps[picture] in runs:
            pair = metrics.paired_bootstrap(runs[steps[picture]], runs[steps[before]])
            rows[steps[picture]] = {"gained": pair.difference, "low": pair.low, "high": pair.high}
    return pd.DataFrame.from_dict(rows, orient="index")


def step_pictures(row: ClipRow) -> dict[str, NDArray[np.float32]]:
    """Return what the classifier sees of a clip at every step, by the values of ``STEPS``."""
    clip, whole = FaceClip(row), load_clip(row)
    faces = clip.faces
    from_mean = ARMS["started from the mean of five frames"]
    made = [
        *clip_pictures(whole, (0.0, TEST_ALPHA), ARMS["full method"], 0),
        *clip_pictures(whole, (TEST_ALPHA,), from_mean, 0),
        *clip_pictures(whole, (TEST_ALPHA,), LAGRANGIAN, 0),
    ]
    plain, avatar, late, lagrangian = (_as_a_face(picture, faces.shape[1:]) for picture in made)
    motion, to_apex = mean_motion(faces), onset_to_apex(clip)
    middle = np.sin(np.pi * (np.arange(len(faces)) + 0.5) / len(faces))
    found = {
        "avatar": _on_grid(avatar),
        "difference": _on_grid(avatar.astype(np.float32) - faces[0]),
        "flow": _moved(optical_flow(faces[0], avatar))[:2],
        "late": _moved(optical_flow(faces[0], late))[:2],
        "lagrangian": _moved(optical_flow(faces[0], lagrangian))[:2],
        "plain": _moved(optical_flow(faces[0], plain))[:2],
        "mean": motion_picture(mean_motion(faces, rest=faces[0]))[:2],
        "rest": motion_picture(motion)[:2],
        "strain": motion_picture(motion),
        "weighted": motion_picture(mean_motion(faces, weights=middle)),
        "image": flow_image(motion),
        "apex": _moved(to_apex),
        "apex image": flow_image(to_apex),
    }
    return {name: np.asarray(picture, np.float32).ravel() for name, picture in found.items()}


def _as_a_face(avatar: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Bring an avatar to gray and to the size of the faces."""
    return np.asarray(resize(to_gray(avatar[None])[0], *shape), np.uint8)


def _on_grid(picture: NDArray[Any]) -> NDArray[Any]:
    return resize(picture.astype(np.float32), GRID, GRID)


def _moved(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    return motion_picture(still(flow))


def _kept_pictures(row: ClipRow) -> tuple[NDArray[np.float32], ...]:
    """Pictures of one clip in the order of ``STEPS``, from the cache where they are there."""
    key = fingerprint(VERSION, clip_fingerprint(row), list(STEPS.values()))

    def make() -> tuple[NDArray[np.float32], ...]:
        found = step_pictures(row)
        return tuple(found[name] for name in STEPS.values())

    return kept_arrays(f"features/repair/{key}.npz", make)


def ladder(
    dataset: str, protocol: str, profile: str, *, seed: int, n_jobs: int, **where: Any
) -> tuple[Runs, Tables]:
    """Run every step on the same clips and folds; of the networks, which take long, one alone on many."""
    systems = {}  # a profile that they lack is refused before the work
    for step, name in STEPS.items():
        if step == NETWORK and protocol != "kfold":  # the other one shows what a network does
            continue
        machine = off_apexnet if step in (NETWORK, OFF_APEXNET) else learner
        system = System(f"repair, {name}", step, "this book", motion_avatar, machine)
        systems[step] = ComparedSystem(system, profile, seed=seed)
    index = load_members(dataset, protocol, **where)
    folds = make_folds(index, protocol, train=dataset, seed=seed)
    calls = [(row,) for row in rows_of(index)]
    found = all_kept_or_made("steps of the repair", _kept_pictures, calls, n_jobs)
    seen = dict(zip(STEPS, zip(*found, strict=True), strict=True))
    runs = {
        step: evaluate(np.stack(seen[step]), index, folds, system, n_jobs=n_jobs)
        for step, system in systems.items()
    }
    return runs, {}
