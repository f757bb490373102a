"""Clips to show, and a data set in words.

The licences of the real sets restrict whose face may be seen. :func:`example_clip` therefore hands out a
clip of the synthetic twin wherever the real one may not be shown.
"""

from __future__ import annotations

import itertools
import logging
from typing import Any

import numpy as np
import pandas as pd

from memaa_lib.clips import Clip
from memaa_lib.datasets.index import load_clip, load_index, load_truth
from memaa_lib.manifests import load_manifest
from memaa_lib.paper import CLASSES, DATASET_TITLES
from memaa_lib.storage import InputError
from memaa_lib.synthetic.release import ensure_twin
from memaa_lib.synthetic.truth import read_truth

logger = logging.getLogger(__name__)


def describe(index: pd.DataFrame) -> str:
    """Say in words which data an index lists, as each figure and page must.

    Parameters
    ----------
    index
        From :func:`memaa_lib.datasets.load_index`.

    Returns
    -------
    str
        E.g. ``CASME II twin (synthetic, seed 0, difficulty 0.5): 145 clips of 24 subjects``.

    Raises
    ------
    InputError
        If the index is empty.

    Examples
    --------
    >>> columns = {"dataset": ["smic"], "subject": ["s01"], "is_twin": [False], "root": ["/data"]}
    >>> describe(pd.DataFrame(columns))
    'SMIC: 1 clips of 1 subjects'
    """
    if not len(index):
        raise InputError("the index holds no clip; choose a data set and protocol that do")
    names = list(dict.fromkeys(index["dataset"]))
    parts = []
    for name in names:
        rows = index[index["dataset"] == name]
        title = DATASET_TITLES.get(name, name)
        if rows["is_twin"].iloc[0]:
            truth = read_truth(rows["root"].iloc[0])
            title += f" twin (synthetic, seed {truth['seed']}, difficulty {truth['difficulty']:g})"
        parts.append(title)
    subjects = len(index[["dataset", "subject"]].drop_duplicates())
    return f"{' + '.join(parts)}: {len(index)} clips of {subjects} subjects"


def may_be_shown(row: Any) -> bool:
    """Whether the licence lets this clip's face be published.

    Parameters
    ----------
    row
        A row of :func:`memaa_lib.datasets.load_index`.

    Returns
    -------
    bool
        True for twins, and for subjects that the manifest lists as publishable.

    Examples
    --------
    >>> may_be_shown({"dataset": "samm", "subject": "006", "is_twin": False})
    False
    """
    allowed = load_manifest(row["dataset"]).access.publishable_subjects
    return bool(row["is_twin"]) or row["subject"] in allowed


def example_row(index: pd.DataFrame, label: str, rank: int = 0) -> pd.Series:
    """Choose a typical clip of a class: one whose length is nearest to the class's median.

    In a twin, clips in which the eyes blink are passed over: magnified, a blink hides everything else.

    Parameters
    ----------
    index
        From :func:`memaa_lib.datasets.load_index`.
    label
        ``"negative"``, ``"positive"`` or ``"surprise"``.
    rank
        0 for the most typical, 1 for the next, ...

    Returns
    -------
    pandas.Series

    Raises
    ------
    InputError
        If the index has no such clip.

    Examples
    --------
    >>> columns = {"dataset": "smic", "subject": ["s01", "s02", "s03"], "clip": ["a", "b", "c"]}
    >>> index = pd.DataFrame(columns | {"label": "surprise", "n_frames": [20, 34, 50]})
    >>> example_row(index, "surprise")["clip"]
    'b'
    """
    if label not in CLASSES:
        raise InputError(f"{label!r}: no class; expected one of {', '.join(CLASSES)}")
    rows = index[index["label"] == label]
    if not 0 <= rank < len(rows):
        raise InputError(f"{label}: {len(rows)} clips, no example number {rank}")
    distance = np.abs(rows["n_frames"] - rows["n_frames"].median())
    keys = pd.DataFrame({"distance": distance, "subject": rows["subject"], "clip": rows["clip"]})
    order = rows.loc[keys.sort_values(["distance", "subject", "clip"]).index]
    calm = (row for _, row in order.iterrows() if not _blinks(row))
    chosen: pd.Series = next(itertools.islice(calm, rank, None), order.iloc[rank])
    return chosen


def _blinks(row: pd.Series) -> bool:
    """Whether the eyes blink in a twin's clip; False for real ones, where nobody knows."""
    return bool(row.get("is_twin", False)) and float(load_truth(row)["blink"].max()) > 0


def example_clip(index: pd.DataFrame, label: str, rank: int = 0) -> Clip:
    """Load a typical clip of a class whose face may be shown.

    Parameters
    ----------
    index, label, rank
        See :func:`example_row`.

    Returns
    -------
    Clip
        From the index if its licence allows it to be shown, else from the set's synthetic twin; then
        a line in the log says so.

    Raises
    ------
    InputError
        As :func:`example_row`.

    Examples
    --------
    >>> example_clip(load_index("smic"), "surprise").label  # doctest: +SKIP
    'surprise'
    """
    row = shown_row(index, label, rank)
    return load_clip(row)


def shown_row(index: pd.DataFrame, label: str, rank: int = 0) -> pd.Series:
    """Choose as :func:`example_row` does, from the twin where the real face may not be shown.

    Parameters
    ----------
    index, label, rank
        See :func:`example_row`.

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> shown_row(load_index("smic"), "surprise").label  # doctest: +SKIP
    'surprise'
    """
    row = example_row(index, label, rank)
    if may_be_shown(row):
        return row
    dataset = row["dataset"]
    logger.warning("%s: real faces are not shown; the synthetic twin stands in", dataset)
    return example_row(load_index(dataset, ensure_twin(dataset)), label, rank)
