"""Clips to show, and a data set in words.

The licences of the real sets restrict whose face may be seen. :func:`example_clip` therefore hands out a
clip of the synthetic twin wherever the real one may not be shown.
"""

from __future__ import annotations

import itertools
import logging
import os

import numpy as np
import pandas as pd

from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip
from memaa_lib.datasets.index import load_clip, load_index, load_truth
from memaa_lib.datasets.manifests import dataset_names, load_manifest
from memaa_lib.datasets.rows import ClipRow
from memaa_lib.datasets.truth import read_truth
from memaa_lib.datasets.twins.release import ensure_twin
from memaa_lib.paper import CLASSES, DATASET_TITLES

logger = logging.getLogger(__name__)
ALLOWED = "MEMAA_ALLOW_SUBJECTS"  # dataset/subject, separated by commas


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


def may_be_shown(row: ClipRow) -> bool:
    """Whether the licence lets this clip's face be published.

    Examples
    --------
    >>> may_be_shown({"dataset": "samm", "subject": "006", "is_twin": False})
    False
    """
    row = ClipRow.of(row)
    return row.is_twin or row.subject in publishable(row.dataset)


def publishable(dataset: str) -> frozenset[str]:
    """Return the subjects of a real set whose faces the user's licence lets them publish.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"`` or ``"samm"``.

    Returns
    -------
    frozenset of str
        Those of the manifest (``access.publishable_subjects``) and of ``$MEMAA_ALLOW_SUBJECTS``,
        which ``memaa book --allow-subject`` sets, e.g. ``casme2/sub01,samm/006``.

    Raises
    ------
    InputError
        If the variable names no subject of the set.

    Examples
    --------
    >>> publishable("casme2")
    frozenset()
    """
    manifest = load_manifest(dataset)
    named = set(manifest.access.publishable_subjects)
    for entry in filter(None, os.environ.get(ALLOWED, "").split(",")):
        name, _, subject = entry.strip().partition("/")
        if name not in dataset_names():
            raise InputError(f"{entry!r} allows no subject; expected e.g. casme2/sub01")
        if name == dataset:
            known = manifest.subject_id(subject)
            if known is None:
                raise InputError(f"{entry!r}: {subject!r} is no subject of {dataset}")
            named.add(known)
    return frozenset(named)


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


def example_clip(index: pd.DataFrame, label: str, rank: int = 0, *, crop: bool = True) -> Clip:
    """Load a typical clip of a class whose face may be shown.

    Parameters
    ----------
    index, label, rank
        See :func:`example_row`.
    crop
        See :func:`memaa_lib.datasets.load_clip`.

    Returns
    -------
    Clip
        From the index if its licence allows it to be shown, else from the set's synthetic twin; then
        a line in the log says so.
    """
    return load_clip(shown_row(index, label, rank), crop=crop)


def shown_row(index: pd.DataFrame, label: str, rank: int = 0) -> pd.Series:
    """Choose as :func:`example_row` does, from the twin where the real face may not be shown.

    Parameters
    ----------
    index, label, rank
        See :func:`example_row`.

    Returns
    -------
    pandas.Series
    """
    row = example_row(index, label, rank)
    if may_be_shown(row):
        return row
    dataset = row["dataset"]
    logger.warning("%s: real faces are not shown; the synthetic twin stands in", dataset)
    return example_row(load_index(dataset, ensure_twin(dataset)), label, rank)
