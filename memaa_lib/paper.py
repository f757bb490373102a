"""Every number the paper prints, as data: Tables 1-7, the counts of Sec. 4.1, the stated settings.

Kumar, Theagarajan, Peraza and Bhanu, *Classification of Facial Micro-expressions Using Motion
Magnified Emotion Avatar Images*, CVPR Workshops 2019. The numbers stand here **as printed**, errors
included: the audit page computes with them and shows where they contradict each other.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError

if TYPE_CHECKING:  # a machine that only trains need not have it
    import pandas as pd

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
    """A setting the paper states."""

    name: str
    value: float | str  # as printed, numbers as numbers
    section: str  # or table that states it


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

CONFUSION: Mapping[str, tuple[tuple[int, int, int], ...]] = MappingProxyType(
    {
        "smic": ((65, 2, 3), (11, 37, 3), (17, 1, 25)),
        "casme2": ((84, 2, 2), (10, 20, 2), (4, 0, 21)),
        "samm": ((85, 3, 4), (8, 17, 1), (6, 2, 7)),
    }
)
"""Tables 4, 5, 6: rows are the true class, columns the predicted one, in the order of CLASSES."""


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
        column levels, data set and score.

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
    if number not in (tables := _tables()):
        raise InputError(f"the paper has no Table {number!r}: choose a number from 1 to 7")
    return tables[number].copy()


_DASH = float("nan")


@functools.cache
def _tables() -> dict[int, pd.DataFrame]:
    """Lay out all tables."""
    import pandas as pd

    classes = [name.capitalize() for name in CLASSES]

    def scores(rows: Mapping[str, tuple[float, ...]], groups: tuple[str, ...]) -> pd.DataFrame:
        """Lay out rows of (UAR, UF1) pairs under two column levels."""
        columns = pd.MultiIndex.from_product([groups, ("UAR", "UF1")], names=("dataset", "score"))
        return pd.DataFrame.from_dict(dict(rows), orient="index", columns=columns)

    def matrix(dataset: str) -> pd.DataFrame:
        """Lay out a confusion matrix."""
        names = (pd.Index(classes, name=name) for name in ("true", "predicted"))
        return pd.DataFrame(confusion(dataset), *names)

    return {
        1: pd.DataFrame(
            {
                "Learning rate": [1e-3],
                "Momentum": [0.9],
                "Weight Decay": [5e-4],
                "Optimizer": ["SGD"],
            },
            index=pd.Index(["Resnet 34"], name="Network"),
        ),
        2: pd.DataFrame(
            {
                "SMIC": (70, 51, 43, 164),
                "CASME II": (88, 32, 25, 145),
                "SAMM": (92, 26, 15, 133),
                "Combined": (250, 109, 83, 442),
            },
            index=pd.Index([*classes, "Total"], name="Emotion Class"),
        ),
        3: scores(
            {
                "LBP-TOP": (0.5785, 0.5882, 0.5280, 0.2000, 0.7429, 0.7026, 0.4102, 0.3954),
                "Bi-WOOF": (_DASH, _DASH, _DASH, 0.6110, _DASH, 0.7902, _DASH, 0.3970),
                "OFF-ApexNet": (0.7033, 0.7104, _DASH, 0.6817, _DASH, 0.8697, _DASH, 0.5409),
                "Our Approach": (0.7355, 0.7603, 0.7621, 0.7451, 0.8065, 0.8280, 0.6815, 0.7056),
            },
            ("Combined", "SMIC", "CASME II", "SAMM"),
        ).rename_axis(index="Method"),
        4: matrix("smic"),
        5: matrix("casme2"),
        6: matrix("samm"),
        7: scores(
            {
                "CASME II": (_DASH, _DASH, 0.6684, 0.6770, 0.6506, 0.6595),
                "SMIC": (0.6213, 0.6442, _DASH, _DASH, 0.6076, 0.6223),
                "SAMM": (0.6044, 0.6210, 0.5846, 0.5924, _DASH, _DASH),
            },
            ("CASME II", "SMIC", "SAMM"),
        ).rename_axis(index="Training Dataset"),
    }
