"""LBP-TOP on magnified clips, after Wang et al. (2017).

The faces of a clip are magnified by each of a range of factors, and LBP-TOP describes each result as in
:mod:`memaa_lib.baselines.lbp_top`. Which factor is used is decided inside the training clips of a fold:
chosen by test scores, the best of nine factors is always at least as good as none.

We could not read the full text: filter, factors and protocol are our choices. The filter is the
one that published code for micro-expressions uses (r = 0.4 and 0.05 a frame, full gain from wavelengths
of 16 px).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.classifiers import LinearMachine, System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.lbp_top import lbp_top
from memaa_lib.clips import Clip
from memaa_lib.magnification import Magnification, magnify
from memaa_lib.metrics import uf1

ALPHAS = (0.0, 2.0, 4.0, 8.0, 10.0, 12.0, 16.0, 20.0, 30.0)
FILTER = Magnification(per_frame_r=(0.4, 0.05), cutoff_wavelength=16.0)
INNER_FOLDS = 5


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return LBP-TOP of a clip magnified by each of ``ALPHAS``, one after the other: ``(10800,)``."""
    magnified = magnify(Clip(clip.faces, clip.row.fps), ALPHAS, FILTER)
    return np.concatenate([lbp_top(one.frames) for one in magnified])


def of_alpha(features: NDArray[np.floating], alpha: float) -> NDArray[np.floating]:
    """Return the features ``(N, 1200)`` of clips magnified by one of ``ALPHAS``.

    Raises
    ------
    InputError
        If the factor is none of them.

    Examples
    --------
    >>> of_alpha(np.arange(10800.0)[None], 2.0)[0, :2].tolist()
    [1200.0, 1201.0]
    """
    if alpha not in ALPHAS:
        raise InputError(
            f"alpha is {alpha:g}, expected one of {', '.join(f'{a:g}' for a in ALPHAS)}"
        )
    return features.reshape(len(features), len(ALPHAS), -1)[:, ALPHAS.index(alpha)]


class AlphaMachine:
    """A linear machine that chooses its factor inside the training clips.

    Each factor is scored by UF1 over five folds of the training clips; of equal ones the smallest is
    taken. The machine is then trained on all of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels, features = np.arange(30) % 3, rng.normal(size=(30, 9, 40))
    >>> features[:, ALPHAS.index(8.0), 0] += 30 * labels
    >>> machine = AlphaMachine()
    >>> machine.fit(features.reshape(30, -1), labels)
    >>> machine.alpha
    8.0
    """

    def __init__(self) -> None:
        self.machine, self.alpha = LinearMachine(), 0.0

    def fit(self, features: NDArray[Any], labels: NDArray[np.int64], seed: int = 0) -> None:
        """Choose the factor, and learn."""
        from sklearn.model_selection import StratifiedKFold

        # 0, that is no magnification, where a class is too rare to fold
        n_folds = min(INNER_FOLDS, np.unique(labels, return_counts=True)[1].min())
        scores = [0.0]
        if n_folds > 1:
            inner = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
            scores = [cross_validated(of_alpha(features, alpha), labels, inner) for alpha in ALPHAS]
        self.alpha = ALPHAS[int(np.argmax(scores))]
        self.machine.fit(of_alpha(features, self.alpha), labels)

    def predict(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Return the code of every row."""
        return self.machine.predict(of_alpha(features, self.alpha))

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""
        return self.machine.digest

    @property
    def record(self) -> Mapping[str, Any]:
        """The chosen factor."""
        return {"alpha": self.alpha}


def cross_validated(
    features: NDArray[Any], labels: NDArray[np.int64], folds: Any, groups: Any = None
) -> float:
    """Return the UF1 that a linear machine has over folds, those of a splitter of scikit-learn."""
    from sklearn.model_selection import cross_val_predict

    features = features.astype(np.float64)
    # the machine, with the products of all pairs of clips worked out once
    machine, products = LinearMachine().machine, features @ features.T
    machine.set_params(kernel="precomputed")
    return uf1(labels, cross_val_predict(machine, products, labels, groups=groups, cv=folds))


def learner(profile: str) -> AlphaMachine:
    """Return an untrained machine: it has one setting."""
    return AlphaMachine()


SYSTEMS = (
    System("evm_lbp_top", "EVM + LBP-TOP", "after Wang et al. 2017", clip_features, learner),
)
