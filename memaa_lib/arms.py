"""What carries the result: the method with one part changed at a time.

The paper has no such comparison. An arm changes one thing in the chain or in the training and keeps
the folds, the seed and everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from memaa_lib.avatar import AvatarSettings
from memaa_lib.metrics import paired_bootstrap, subject_bootstrap
from memaa_lib.network import profile_named
from memaa_lib.paper import TEST_ALPHA, TRAINING_ALPHAS
from memaa_lib.protocol import Results, train
from memaa_lib.storage import InputError


@dataclass(frozen=True)
class Arm:
    """The method with one part changed.

    Parameters
    ----------
    name
        What is different.
    train_alphas, test_alpha
        Amplification of training and test avatars.
    settings
        Chain from clip to avatar.

    Examples
    --------
    >>> ARMS["full method"].test_alpha
    10.0
    """

    name: str
    train_alphas: tuple[float, ...] = TRAINING_ALPHAS
    test_alpha: float = TEST_ALPHA
    settings: AvatarSettings = field(default_factory=AvatarSettings)

    @property
    def needs_own_avatars(self) -> bool:
        """Whether the avatars of the full method do not serve."""
        return self.settings != AvatarSettings()


_USUAL = AvatarSettings()
ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("full method"),
        Arm("no magnification", (0.0,), 0.0),
        Arm("alpha 5 only", (5.0,), 5.0),
        Arm("alpha 10 only", (10.0,), 10.0),
        Arm("alpha 15 only", (15.0,), 15.0),
        Arm("no frame removed", settings=replace(_USUAL, remove_frames=False)),
        Arm("aligned first", settings=replace(_USUAL, sequence="align_first")),
        Arm(
            "ideal filter, 0.4-3 Hz", settings=replace(_USUAL, temporal="ideal", band_hz=(0.4, 3.0))
        ),
        Arm("filter r = 0.4, 0.05 a frame", settings=replace(_USUAL, per_frame_r=(0.4, 0.05))),
        Arm("onset-referenced filter", settings=replace(_USUAL, temporal="onset")),
    )
}
QUICK = tuple(name for name, arm in ARMS.items() if not arm.needs_own_avatars)


def run_arm(
    name: str, dataset: str, protocol: str = "loso", profile: str = "laptop", *, n_jobs: int = 2
) -> Results:
    """Train and test one arm.

    Parameters
    ----------
    name
        A key of :data:`ARMS`.
    dataset, protocol
        See :func:`memaa_lib.protocol.train`.
    profile
        Name of the training profile; the arm replaces its amplifications.
    n_jobs
        Processes. The result does not depend on it.

    Returns
    -------
    memaa_lib.protocol.Results

    Raises
    ------
    InputError
        For an unknown arm.

    Examples
    --------
    >>> run_arm("magic", "smic")
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: magic: no such arm; there are full method, ...
    """
    if name not in ARMS:
        raise InputError(f"{name}: no such arm; there are {', '.join(ARMS)}")
    arm = ARMS[name]
    changed = profile_named(profile, train_alphas=arm.train_alphas, test_alpha=arm.test_alpha)
    return train(dataset, protocol, changed, avatar_settings=arm.settings, n_jobs=n_jobs)


def compare_arms(runs: dict[str, Results], reference: str = "full method") -> pd.DataFrame:
    """Return the score of each arm with its interval, and its difference from the full method.

    Parameters
    ----------
    runs
        Arm to results, on the same clips and folds.
    reference
        The arm that the others are held against.

    Returns
    -------
    pandas.DataFrame
        One row an arm: ``uf1, low, high``, and ``difference, difference_low, difference_high``
        from a paired bootstrap over subjects.

    Raises
    ------
    InputError
        If the reference was not run.

    Examples
    --------
    >>> compare_arms({})
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: full method: was not run; run it to compare with it
    """
    if reference not in runs:
        raise InputError(f"{reference}: was not run; run it to compare with it")
    rows = {}
    for name, results in runs.items():
        score = subject_bootstrap(results.predictions, "uf1")
        pair = paired_bootstrap(results.predictions, runs[reference].predictions, "uf1")
        rows[name] = {
            "uf1": score.value,
            "low": score.low,
            "high": score.high,
            "difference": pair.difference,
            "difference_low": pair.low,
            "difference_high": pair.high,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def arm_names(which: str) -> Sequence[str]:
    """Return the arms that ``quick`` or ``all`` stands for.

    Parameters
    ----------
    which
        ``"quick"``: those that use the full method's avatars; ``"all"``.

    Returns
    -------
    sequence of str

    Raises
    ------
    InputError
        For any other word.

    Examples
    --------
    >>> list(arm_names("quick"))[:2]
    ['full method', 'no magnification']
    """
    if which not in ("quick", "all"):
        raise InputError(f"{which!r}: expected 'quick' or 'all'")
    return QUICK if which == "quick" else tuple(ARMS)
