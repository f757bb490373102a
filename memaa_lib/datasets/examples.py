"""Clips to show, and a data set in words.

The licences of the real sets restrict whose face may be seen. :func:`example_row` therefore chooses a
clip of the synthetic twin wherever the real one may not be shown; there is no other way to a clip to show.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip
from memaa_lib.datasets.index import load_clip, load_index, load_truth
from memaa_lib.datasets.manifests import dataset_names, load_manifest
from memaa_lib.datasets.roots import find_root
from memaa_lib.datasets.rows import ClipRow, rows_of
from memaa_lib.datasets.truth import read_truth
from memaa_lib.datasets.twins.release import ensure_twin
from memaa_lib.metrics import uf1
from memaa_lib.paper import CLASSES, DATASET_TITLES

logger = logging.getLogger(__name__)
ALLOWED = "MEMAA_ALLOW_SUBJECTS"  # dataset/subject, separated by commas
SHOW_FACES = "MEMAA_SHOW_FACES"  # set in a private run, whose pages are not published


def describe(index: pd.DataFrame, *, briefly: bool = False) -> str:
    """Say in words which data an index lists, as each figure and page must.

    Parameters
    ----------
    index
        From :func:`memaa_lib.datasets.load_index`.
    briefly
        Leave out the seed and the difficulty of a twin, which the box at the end of a page gives.

    Returns
    -------
    str
        E.g. ``CASME II twin (synthetic, seed 0, difficulty 0.5): 145 clips of 24 subjects``, or briefly
        ``CASME II twin (synthetic): 145 clips of 24 subjects``.

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
    groups = index.groupby("dataset", sort=False)
    sets = {DATASET_TITLES.get(name, name): rows for name, rows in groups}
    if briefly and index["is_twin"].all():
        listed = f"{' + '.join(sets)} {'twin' if len(sets) == 1 else 'twins'} (synthetic)"
    else:
        listed = " + ".join(f"{title}{_twin(rows)}" for title, rows in sets.items())
    subjects = len(index[["dataset", "subject"]].drop_duplicates())
    return f"{listed}: {len(index)} clips of {subjects} subjects"


def _twin(rows: pd.DataFrame) -> str:
    """Seed and difficulty of the twin that these rows are of; nothing for a real set."""
    if not rows["is_twin"].iloc[0]:
        return ""
    truth = read_truth(rows["root"].iloc[0])
    return f" twin (synthetic, seed {truth['seed']}, difficulty {truth['difficulty']:g})"


def may_be_published(row: ClipRow) -> bool:
    """Whether the licence lets this clip's face be published.

    Examples
    --------
    >>> may_be_published({"dataset": "samm", "subject": "006", "is_twin": False})
    False
    """
    row = ClipRow.of(row)
    return row.is_twin or row.subject in publishable(row.dataset)


def may_be_shown(row: ClipRow) -> bool:
    """Whether this clip's face may be seen: published, or in a run that the user says is private."""
    return bool(os.environ.get(SHOW_FACES)) or may_be_published(row)


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
        which ``--allow-subject`` sets, e.g. ``casme2/sub01,samm/006``.

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


def allow_subjects(entries: Sequence[str]) -> None:
    """Let the faces of further subjects of real sets be seen, in this process and those it starts.

    Parameters
    ----------
    entries
        E.g. ``["casme2/sub01"]``.

    Raises
    ------
    InputError
        If there is no such subject, or its set is not the real one.
    """
    os.environ[ALLOWED] = ",".join(filter(None, [os.environ.get(ALLOWED), *entries]))
    for dataset in dataset_names():
        allowed = publishable(dataset) - set(load_manifest(dataset).access.publishable_subjects)
        if not allowed:
            continue
        if find_root(dataset).is_twin:
            raise InputError(
                f"{ALLOWED}, --allow-subject: {dataset} is the synthetic twin, which needs no leave; "
                "name the folder of the real set, or leave the subject out"
            )
        index = load_index(dataset, clips="all")
        there = set(index.loc[index["n_frames"] > 0, "subject"])
        if missing := sorted(allowed - there):
            raise InputError(
                f"{dataset}/{missing[0]}: no such subject; there are {', '.join(sorted(there))}"
            )


def example_row(index: pd.DataFrame, label: str, rank: int = 0) -> pd.Series:
    """Choose a typical clip of a class, one whose length is nearest to the class's median, to show.

    Whose face may not be seen is never chosen: then the set's synthetic twin stands in, and a line in
    the log says so. In a twin a clip is passed over if its label is one of those that are wrong on
    purpose, if the eyes blink (magnified, a blink hides everything else), if the person wears glasses, or
    if the movement is not among the strongest quarter of the others.

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
        The clip that :func:`memaa_lib.datasets.load_clip` makes of it says in words whose it is
        (``clip.title``).

    Raises
    ------
    InputError
        If the index has no such clip.

    Examples
    --------
    >>> columns = {"dataset": "smic", "subject": ["s01", "s02", "s03"], "clip": ["a", "b", "c"]}
    >>> index = pd.DataFrame(columns | {"label": "surprise", "n_frames": [20, 34, 50], "is_twin": True})
    >>> example_row(index, "surprise")["clip"]
    'b'
    """
    if label not in CLASSES:
        raise InputError(f"{label!r}: no class; expected one of {', '.join(CLASSES)}")
    rows = index[index["label"] == label]
    shown = rows[[may_be_shown(row) for row in rows_of(rows)]]
    if len(rows) and not len(shown):
        dataset = rows["dataset"].iloc[0]
        logger.info("%s: real faces are not shown; the synthetic twin stands in", dataset)
        return example_row(load_index(dataset, ensure_twin(dataset)), label, rank)
    if not 0 <= rank < len(shown):
        raise InputError(f"{label}: {len(shown)} clips, no example number {rank}")
    distance = np.abs(shown["n_frames"] - shown["n_frames"].median())
    keys = pd.DataFrame({"distance": distance, "subject": shown["subject"], "clip": shown["clip"]})
    order = shown.loc[keys.sort_values(["distance", "subject", "clip"]).index]
    clear = _clearest(order)
    chosen: pd.Series = (clear if rank < len(clear) else order).iloc[rank]
    return chosen


def _clearest(order: pd.DataFrame) -> pd.DataFrame:
    """Return a twin's clips that plainly show what their label says; none of a real set's."""
    if "path" not in order or not order["is_twin"].all():
        return order.iloc[:0]
    truths = [load_truth(row) for row in rows_of(order)]
    plain = np.array(
        [
            truth["shown_label"] == row.label and not truth["blink"].any() and not _glasses(row)
            for row, truth in zip(rows_of(order), truths, strict=True)
        ],
        bool,
    )
    if not plain.any():
        return order.iloc[:0]
    peaks = np.array([float(truth["peak_px"]) for truth in truths])
    return order[plain & (peaks >= np.quantile(peaks[plain], 0.75))]


def _glasses(row: ClipRow) -> bool:
    """Whether the person of a twin's clip wears glasses."""
    from memaa_lib.synthetic import sample_identity  # the renderer: only where it is needed

    seed = read_truth(str(row.root))["seed"]
    return sample_identity(row.dataset, row.subject, seed=seed).appearance.glasses != "none"


def label_noise(index: pd.DataFrame) -> str:
    """Say how many labels of twins are wrong on purpose, and the highest UF1 that they leave possible.

    Parameters
    ----------
    index
        From :func:`memaa_lib.datasets.load_index`.

    Returns
    -------
    str
        Empty if a clip is real: nobody knows then.
    """
    if not index["is_twin"].all():
        return ""
    shown = [str(load_truth(row)["shown_label"]) for row in rows_of(index)]
    wrong = int((index["label"] != shown).sum())
    return (
        f"{wrong} of the {len(index)} labels are wrong on purpose, to stand for errors of annotation: "
        f"whoever reads every face rightly scores UF1 {uf1(index['label'], shown):.3f}"
    )


def example_clip(index: pd.DataFrame, label: str, rank: int = 0, *, crop: bool = True) -> Clip:
    """Load the clip that :func:`example_row` chooses.

    Parameters
    ----------
    index, label, rank
        See :func:`example_row`.
    crop
        See :func:`memaa_lib.datasets.load_clip`.

    Returns
    -------
    Clip
        ``clip.title`` says in words whose clip it is.
    """
    return load_clip(example_row(index, label, rank), crop=crop)
