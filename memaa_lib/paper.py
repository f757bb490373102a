"""Every number the paper prints, as data: Tables 1-7, the counts of Sec. 4.1, the stated settings.

Kumar, Theagarajan, Peraza and Bhanu, *Classification of Facial Micro-expressions Using Motion
Magnified Emotion Avatar Images*, CVPR Workshops 2019. The numbers stand here **as printed**, errors
included: the audit page computes with them and shows where they contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib.storage import InputError

CLASSES: tuple[str, str, str] = ("negative", "positive", "surprise")
"""The three classes; their places in this tuple are the codes 0, 1, 2 (Sec. 4.1, MEGC 2019)."""

DATASETS: tuple[str, str, str] = ("smic", "casme2", "samm")
"""The three data sets, in the order of Table 2."""

DATASET_TITLES: Mapping[str, str] = MappingProxyType(
    {"smic": "SMIC", "casme2": "CASME II", "samm": "SAMM", "composite": "Combined"}
)
"""How the paper writes the names."""

TRAINING_ALPHAS: tuple[float, float, float] = (5.0, 10.0, 15.0)
"""Amplification factors of the training clips (Sec. 3.1.1)."""

TEST_ALPHA: float = 10.0
"""Amplification factor of the test clips (Sec. 3.1.1)."""


@dataclass(frozen=True)
class Setting:
    """A setting the paper states.

    Parameters
    ----------
    name
        What is set.
    value
        Its value as printed (numbers as numbers).
    section
        Section or table that states it.
    """

    name: str
    value: float | str
    section: str


SETTINGS: tuple[Setting, ...] = (
    Setting("training alphas", "5, 10, 15", "3.1.1"),
    Setting("test alpha", 10, "3.1.1"),
    Setting("blocks along each side of the texture map", 6, "3.2"),
    Setting("temporal window N (frames)", 61, "3.2"),
    Setting("high-pass threshold D0", 30, "3.2"),
    Setting("probability a frame must exceed to be kept", 0.5, "3.2"),
    Setting("facial landmarks", 68, "3.3"),
    Setting("reference frame", "first", "3.3"),
    Setting("input size (px)", 224, "3.5"),
    Setting("architecture", "ResNet-34", "Table 1"),
    Setting("learning rate", 1e-3, "Table 1"),
    Setting("momentum", 0.9, "Table 1"),
    Setting("weight decay", 5e-4, "Table 1"),
    Setting("optimizer", "SGD", "Table 1"),
    Setting("mini-batch size", 128, "3.5"),
    Setting("epochs between halvings of the learning rate", 5, "3.5"),
    Setting("augmentation", "random flips, shuffled every epoch", "3.5"),
    Setting("validation", "leave one subject out", "3.5"),
    Setting("GPUs", "2 x NVIDIA GTX 1080Ti", "4"),
)
"""What the paper states of its method; epochs, initialisation, loss and validation are absent.

:meta hide-value:
"""

FRAME_RATES_HZ: Mapping[str, int] = MappingProxyType({"smic": 100, "casme2": 200, "samm": 200})
"""Frames a second (Sec. 4.1.1-4.1.3)."""

SUBJECTS: Mapping[str, int] = MappingProxyType(
    {"smic": 16, "casme2": 24, "samm": 28, "composite": 68}
)
"""Number of subjects (Sec. 4.1.1-4.1.4)."""

EMOTIONS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "smic": MappingProxyType({"negative": 70, "positive": 51, "surprise": 43}),
        "casme2": MappingProxyType(
            {
                "other": 99,
                "disgust": 63,
                "happiness": 32,
                "repression": 27,
                "surprise": 25,
                "sadness": 7,
                "fear": 2,
            }
        ),
        "samm": MappingProxyType(
            {
                "anger": 57,
                "happiness": 26,
                "disgust": 9,
                "other": 26,
                "fear": 8,
                "surprise": 15,
                "contempt": 12,
                "sadness": 6,
            }
        ),
    }
)
"""Clips per emotion as Sec. 4.1.1-4.1.3 count them, before the three classes are formed.

:meta hide-value:
"""

CLASS_OF_EMOTION: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "smic": MappingProxyType({name: name for name in CLASSES}),
        "casme2": MappingProxyType(
            {
                "disgust": "negative",
                "repression": "negative",
                "happiness": "positive",
                "surprise": "surprise",
            }
        ),
        "samm": MappingProxyType(
            {
                "anger": "negative",
                "sadness": "negative",
                "contempt": "negative",
                "fear": "negative",
                "disgust": "negative",
                "happiness": "positive",
                "surprise": "surprise",
            }
        ),
    }
)
"""Which emotions make which class (Sec. 4.1.2, 4.1.3). Emotions left out are not used.

:meta hide-value:
"""

CLIPS_STATED: Mapping[str, int] = MappingProxyType(
    {"smic": 164, "casme2": 255, "samm": 159, "composite": 442}
)
"""Clips in all as Sec. 4.1 counts them, all emotions."""

CONFUSION: Mapping[str, tuple[tuple[int, int, int], ...]] = MappingProxyType(
    {
        "smic": ((65, 2, 3), (11, 37, 3), (17, 1, 25)),
        "casme2": ((84, 2, 2), (10, 20, 2), (4, 0, 21)),
        "samm": ((85, 3, 4), (8, 17, 1), (6, 2, 7)),
    }
)
"""Tables 4, 5, 6: rows are the true class, columns the predicted one, in the order of CLASSES."""


@dataclass(frozen=True)
class Anchor:
    """An equation, figure or table of the paper, for numbering and cross references.

    Parameters
    ----------
    number
        As printed.
    section
        Where it stands.
    caption
        What it says, in our words.
    """

    number: int
    section: str
    caption: str


EQUATIONS: tuple[Anchor, ...] = (
    Anchor(1, "3.1", "intensity of a magnified moving pattern"),
    Anchor(2, "3.1", "first-order Taylor expansion of the moving pattern"),
    Anchor(3, "3.1", "band-passed signal when all of the motion lies in the pass-band"),
    Anchor(4, "3.1", "band-passed signal when the filter attenuates some of the motion"),
    Anchor(5, "3.1", "magnified intensity with frequency-dependent gains"),
    Anchor(6, "3.2", "three-dimensional Fourier transform of a block over the sliding window"),
    Anchor(7, "3.2", "high-pass mask in the frequency domain"),
    Anchor(8, "3.2", "masked spectrum of a block"),
    Anchor(9, "3.2", "texture intensity of a window, summed over 36 blocks"),
    Anchor(10, "4.2", "true positives of a class, summed over the folds"),
    Anchor(11, "4.2", "false positives of a class, summed over the folds"),
    Anchor(12, "4.2", "false negatives of a class, summed over the folds"),
    Anchor(13, "4.2", "F1 score of a class"),
    Anchor(14, "4.2", "unweighted F1 score (UF1)"),
    Anchor(15, "4.2", "unweighted average recall (UAR)"),
)
"""The numbered equations.

:meta hide-value:
"""

FIGURES: tuple[Anchor, ...] = (
    Anchor(1, "3", "the whole chain from clip to class"),
    Anchor(2, "3.1", "a frame before and after motion magnification"),
    Anchor(3, "3.1.1", "peak signal-to-noise ratio against the amplification factor"),
    Anchor(4, "3.2", "texture intensity against the frame number"),
    Anchor(5, "3.4", "frames of a clip and their emotion avatar image"),
)
"""The numbered figures.

:meta hide-value:
"""

TABLES: tuple[Anchor, ...] = (
    Anchor(1, "3.5", "training parameters of the network"),
    Anchor(2, "3.5", "clips per class and data set"),
    Anchor(3, "4.2", "scores beside those of other systems"),
    Anchor(4, "4.2", "confusion matrix of SMIC"),
    Anchor(5, "4.2", "confusion matrix of CASME II"),
    Anchor(6, "4.2", "confusion matrix of SAMM"),
    Anchor(7, "4.3.1", "scores when training on one data set and testing on another"),
)
"""The numbered tables.

:meta hide-value:
"""


@dataclass(frozen=True)
class Claim:
    """Something the paper asserts, in our words, to be judged on the audit page.

    Parameters
    ----------
    key
        Short name, stable: pages refer to it.
    section
        Where the paper says it.
    statement
        The assertion.
    """

    key: str
    section: str
    statement: str


CLAIMS: tuple[Claim, ...] = (
    Claim("magnification-reveals", "3.1", "Magnification makes subtle expressions visible."),
    Claim(
        "noise-grows-with-alpha",
        "3.1",
        "Distortion and noise grow with the amplification factor, so 10 is a good choice.",
    ),
    Claim("psnr-falls", "3.1.1", "The PSNR of the clips falls rapidly as alpha grows (Fig. 3)."),
    Claim(
        "removal-keeps-expression",
        "3.2",
        "Frames of low texture intensity can go: the expression is in those that stay.",
    ),
    Claim(
        "fixed-threshold",
        "3.2",
        "Mean and standard deviation of the intensities give a probability to cut at 0.5.",
    ),
    Claim("alignment-first-frame", "3.3", "68 landmarks register every frame to the first one."),
    Claim(
        "avatar-shows-motion",
        "3.4",
        "Averaging registered frames keeps facial motion, visible as blur (Fig. 5).",
    ),
    Claim("avatar-reduces-noise", "3.4", "The average lowers noise variance by the frame count."),
    Claim(
        "batch-norm-before-convolution",
        "3.5",
        "The residual network normalises before each convolution and rectifies after it.",
    ),
    Claim("table-1-suffices", "3.5", "The listed hyper-parameters train the network."),
    Claim(
        "augmentation-balances",
        "2.1",
        "Magnifying the training clips by 5, 10 and 15 reduces the imbalance of the classes.",
    ),
    Claim(
        "augmentation-helps",
        "4.3",
        "Training on several amplification factors raises the scores.",
    ),
    Claim("class-counts", "4.1", "Table 2 follows from the emotion counts of the three sets."),
    Claim("tables-4-6-give-table-3", "4.3", "The confusion matrices give the scores of Table 3."),
    Claim("combined-is-pooled", "4.3", "The combined scores are those of the pooled 442 clips."),
    Claim(
        "beats-state-of-the-art",
        "4.3",
        "The method is far ahead of the earlier systems on UF1 and UAR.",
    ),
    Claim("baselines-comparable", "4.3", "The rows of Table 3 were scored in the same way."),
    Claim(
        "generalises",
        "4.3.1",
        "Trained on one data set, the method also classifies the clips of another (Table 7).",
    ),
    Claim("cross-dataset-loso", "4.3.1", "Table 7 was obtained by leaving subjects out."),
)
"""What the paper asserts and this companion examines.

:meta hide-value:
"""


def confusion(dataset: str) -> NDArray[np.int64]:
    """Return a confusion matrix of Tables 4-6, or their sum.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"``, or ``"composite"`` for the sum of the three.

    Returns
    -------
    numpy.ndarray
        ``(3, 3)`` int64; rows are the true class, columns the predicted one.

    Raises
    ------
    InputError
        If there is no such data set.

    Examples
    --------
    >>> confusion("samm").sum(axis=1).tolist()
    [92, 26, 15]
    """
    if dataset == "composite":
        return confusion("smic") + confusion("casme2") + confusion("samm")
    if dataset not in CONFUSION:
        raise InputError(
            f"no confusion matrix for {dataset!r} in the paper: choose one of "
            f"{', '.join((*DATASETS, 'composite'))}"
        )
    return np.array(CONFUSION[dataset], dtype=np.int64)


def table(number: int) -> pd.DataFrame:
    """Return a table of the paper as printed.

    Parameters
    ----------
    number
        1 to 7.

    Returns
    -------
    pandas.DataFrame
        Rows and columns as in the paper, errors included; a dash is NaN. Tables 3 and 7 have two
        column levels, data set and score. ``attrs`` holds ``number``, ``section`` and ``caption``.

    Raises
    ------
    InputError
        If the paper has no such table.

    Examples
    --------
    >>> table(3).loc["Our Approach", ("Combined", "UF1")]
    np.float64(0.7603)
    >>> int(table(2).loc["Total", "Combined"])
    442
    """
    if number not in _TABLES:
        raise InputError(f"the paper has no Table {number!r}: choose a number from 1 to 7")
    frame = _TABLES[number].copy()
    anchor = TABLES[number - 1]
    frame.attrs = {"number": number, "section": anchor.section, "caption": anchor.caption}
    return frame


def _score_table(rows: Mapping[str, tuple[float, ...]], groups: tuple[str, ...]) -> pd.DataFrame:
    """Lay out rows of (UAR, UF1) pairs under two column levels."""
    columns = pd.MultiIndex.from_product([groups, ("UAR", "UF1")], names=("dataset", "score"))
    return pd.DataFrame.from_dict(dict(rows), orient="index", columns=columns)


def _confusion_table(dataset: str) -> pd.DataFrame:
    """Lay out one of Tables 4-6."""
    titles = [name.capitalize() for name in CLASSES]
    return pd.DataFrame(
        confusion(dataset),
        index=pd.Index(titles, name="true"),
        columns=pd.Index(titles, name="predicted"),
    )


def _class_counts() -> pd.DataFrame:
    """Lay out Table 2."""
    frame = pd.DataFrame(
        {
            "SMIC": (70, 51, 43, 164),
            "CASME II": (88, 32, 25, 145),
            "SAMM": (92, 26, 15, 133),
            "Combined": (250, 109, 83, 442),
        },
        index=[*(name.capitalize() for name in CLASSES), "Total"],
    )
    frame.index.name = "Emotion Class"
    return frame


_DASH = float("nan")
_TABLES: Mapping[int, pd.DataFrame] = {
    1: pd.DataFrame(
        {
            "Learning rate": [1e-3],
            "Momentum": [0.9],
            "Weight Decay": [5e-4],
            "Optimizer": ["SGD"],
        },
        index=pd.Index(["Resnet 34"], name="Network"),
    ),
    2: _class_counts(),
    3: _score_table(
        {
            "LBP-TOP": (0.5785, 0.5882, 0.5280, 0.2000, 0.7429, 0.7026, 0.4102, 0.3954),
            "Bi-WOOF": (_DASH, _DASH, _DASH, 0.6110, _DASH, 0.7902, _DASH, 0.3970),
            "OFF-ApexNet": (0.7033, 0.7104, _DASH, 0.6817, _DASH, 0.8697, _DASH, 0.5409),
            "Our Approach": (0.7355, 0.7603, 0.7621, 0.7451, 0.8065, 0.8280, 0.6815, 0.7056),
        },
        ("Combined", "SMIC", "CASME II", "SAMM"),
    ).rename_axis(index="Method"),
    4: _confusion_table("smic"),
    5: _confusion_table("casme2"),
    6: _confusion_table("samm"),
    7: _score_table(
        {
            "CASME II": (_DASH, _DASH, 0.6684, 0.6770, 0.6506, 0.6595),
            "SMIC": (0.6213, 0.6442, _DASH, _DASH, 0.6076, 0.6223),
            "SAMM": (0.6044, 0.6210, 0.5846, 0.5924, _DASH, _DASH),
        },
        ("CASME II", "SMIC", "SAMM"),
    ).rename_axis(index="Training Dataset"),
}
