"""Folds of Sec. 4 (leave one subject out, composite, cross-dataset) and the running of them.

A subject is a pair (data set, subject id): the ids of different sets collide. Folds are lists of
clips; the magnified copies of a clip follow it, so no copy of a test clip is ever trained on. The
function that trains a fold is given the labels of the training clips only.

Each fold's result is one small JSON file, written whole. A run that was stopped goes on with the
folds whose file is missing. Results do not depend on the number of processes or on their order.
"""

from __future__ import annotations

import json
import pkgutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib import metrics, profiles
from memaa_lib._support.cache import VERSION, atomic_path, cache_root, fingerprint, kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import progress, run_tasks
from memaa_lib._support.weights import StateDict, read_weights, weights_digest, weights_file_digest
from memaa_lib.avatar import AvatarSettings
from memaa_lib.paper import CLASSES
from memaa_lib.profiles import IMAGENET_FILE, TrainingProfile

LEAKS: tuple[str, ...] = ("early-stopping",)
"""Errors of evaluation that can be switched on, to show what they are worth."""

SYSTEMS = "memaa_lib.baselines"  # the wing of the compared systems, loaded when one is asked for

REQUIRED_COLUMNS: tuple[str, ...] = ("dataset", "subject", "clip", "label")
"""Columns of an index that the protocol uses."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Which clips train and which are tested.

    Parameters
    ----------
    name
        For example ``"smic/s01"``; the fold's seed and file name are made from it.
    train, test
        Positions of the clips in the index, int64.
    """

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def subject_keys(index: pd.DataFrame) -> NDArray[np.str_]:
    """Return one text per clip that no two subjects share, ``dataset/subject``.

    Parameters
    ----------
    index
        One row a clip, with the columns ``dataset``, ``subject``, ``clip`` and ``label``.

    Returns
    -------
    numpy.ndarray
        ``(N,)`` text.

    Raises
    ------
    InputError
        If a column is missing or there is no row.

    Examples
    --------
    >>> rows = [("smic", "1", "a", "negative"), ("samm", "1", "b", "surprise")]
    >>> subject_keys(pd.DataFrame(rows, columns=REQUIRED_COLUMNS)).tolist()
    ['smic/1', 'samm/1']
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in index]
    if missing:
        raise InputError(f"index: column {', '.join(missing)} missing, see load_index")
    if index.empty:
        raise InputError("index: no clips in it")
    pairs = zip(index["dataset"].astype(str), index["subject"].astype(str), strict=True)
    return np.array([f"{dataset}/{subject}" for dataset, subject in pairs])


def leave_one_subject_out(index: pd.DataFrame) -> list[Fold]:
    """Make one fold a subject, the paper's protocol; on the composite index 68 folds.

    Parameters
    ----------
    index
        One row a clip, see ``subject_keys``.

    Returns
    -------
    list of Fold
        Ordered by name.

    Raises
    ------
    InputError
        If the index is unusable or holds a single subject.

    Examples
    --------
    >>> rows = [("smic", "s01", "a", 0), ("smic", "s02", "b", 1), ("smic", "s01", "c", 2)]
    >>> [fold.test.tolist() for fold in leave_one_subject_out(pd.DataFrame(rows,
    ...     columns=REQUIRED_COLUMNS))]
    [[0, 2], [1]]
    """
    keys = subject_keys(index)
    names = np.unique(keys)
    if len(names) < 2:
        raise InputError(f"index: only subject {names[0]}; leaving it out leaves nothing to train")
    return [Fold(str(name), *_split(keys == name)) for name in names]


def grouped_k_fold(index: pd.DataFrame, k: int = 5, seed: int = 0) -> list[Fold]:
    """Make k folds of whole subjects with class proportions as equal as can be.

    Not the paper's protocol: a cheaper stand-in for it, and labelled so wherever it is used.

    Parameters
    ----------
    index
        One row a clip, see ``subject_keys``.
    k
        Number of folds.
    seed
        Seed of the assignment.

    Returns
    -------
    list of Fold

    Raises
    ------
    InputError
        If k is below 2 or above the number of subjects.

    Examples
    --------
    >>> rows = [("smic", f"s{i}", f"c{i}", i % 3) for i in range(9)]
    >>> folds = grouped_k_fold(pd.DataFrame(rows, columns=REQUIRED_COLUMNS), k=3)
    >>> [len(fold.test) for fold in folds]
    [3, 3, 3]
    """
    keys = subject_keys(index)
    labels = metrics.class_codes(index["label"].to_numpy(), "index, column label")
    subjects, subject_of_clip = np.unique(keys, return_inverse=True)
    if isinstance(k, bool) or not isinstance(k, int) or not 2 <= k <= len(subjects):
        raise InputError(
            f"k must be between 2 and the number of subjects, {len(subjects)}; got {k}"
        )
    counts = np.zeros((len(subjects), len(CLASSES)))
    np.add.at(counts, (subject_of_clip, labels), 1.0)
    fold_of_subject = _balanced_groups(counts, k, seed)
    fold_of_clip = fold_of_subject[subject_of_clip]
    return [Fold(f"fold {i + 1} of {k}", *_split(fold_of_clip == i)) for i in range(k)]


def _balanced_groups(counts: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    """Assign subjects to k folds, largest first, each where the class shares stay most even."""
    shuffled = np.random.default_rng(seed).permutation(len(counts))
    largest_first = shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]
    shares = counts / np.maximum(counts.sum(axis=0), 1.0)
    filled = np.zeros((k, counts.shape[1]))
    members = np.zeros(k, dtype=np.int64)
    chosen = np.zeros(len(counts), dtype=np.int64)
    for place, subject in enumerate(largest_first):
        # Leave no fold empty: the last subjects go to folds that have none.
        empty = np.flatnonzero(members == 0)
        open_folds = empty if len(largest_first) - place <= len(empty) else np.arange(k)
        unevenness = [
            np.square(filled[fold] + shares[subject]).sum() - np.square(filled[fold]).sum()
            for fold in open_folds
        ]
        fold = int(open_folds[int(np.argmin(unevenness))])
        filled[fold] += shares[subject]
        members[fold] += 1
        chosen[subject] = fold
    return chosen


def cross_dataset(index: pd.DataFrame, train: str, test: str) -> list[Fold]:
    """Make the single fold of Table 7: train on all of one data set, test on all of another.

    Parameters
    ----------
    index
        Index that holds both data sets.
    train, test
        Their names.

    Returns
    -------
    list of Fold
        One fold, named ``"casme2 to smic"`` or the like.

    Raises
    ------
    InputError
        If a data set is not in the index or both are the same.

    Examples
    --------
    >>> rows = [("smic", "s01", "a", 0), ("samm", "006", "b", 1)]
    >>> cross_dataset(pd.DataFrame(rows, columns=REQUIRED_COLUMNS), "smic", "samm")[0].test.tolist()
    [1]
    """
    subject_keys(index)
    names = index["dataset"].astype(str).to_numpy()
    for name in (train, test):
        if name not in names:
            present = ", ".join(np.unique(names))
            raise InputError(f"no clip of data set {name!r} in the index, which holds {present}")
    if train == test:
        raise InputError(f"cross-dataset training needs two data sets; got {train!r} twice")
    return [
        Fold(f"{train} to {test}", np.flatnonzero(names == train), np.flatnonzero(names == test))
    ]


def _split(is_test: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions of the training and of the test clips."""
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def check_folds(index: pd.DataFrame, folds: Sequence[Fold]) -> None:
    """Refuse folds that share a subject, test a clip twice or point outside the index.

    Parameters
    ----------
    index
        One row a clip.
    folds
        The folds.

    Raises
    ------
    InputError
        If anything of this is so, or a fold is empty.
    """
    keys = subject_keys(index)
    if not folds:
        raise InputError("no folds given")
    if len({fold.name for fold in folds}) < len(folds):
        raise InputError("two folds have the same name; results are filed by name")
    for fold in folds:
        positions = np.concatenate([fold.train, fold.test])
        if not len(fold.train) or not len(fold.test):
            raise InputError(f"fold {fold.name}: nothing to train on or nothing to test")
        if positions.min() < 0 or positions.max() >= len(keys):
            raise InputError(f"fold {fold.name}: positions outside the index of {len(keys)} clips")
        shared = np.intersect1d(keys[fold.train], keys[fold.test])
        if shared.size:
            raise InputError(f"fold {fold.name}: subject {shared[0]} is in training and in test")
    tested = np.concatenate([fold.test for fold in folds])
    if len(np.unique(tested)) < len(tested):
        raise InputError("a clip is tested in two folds; it can be predicted only once")


def make_folds(
    index: pd.DataFrame, protocol: str, *, train: str = "", k: int = 5, seed: int = 0
) -> list[Fold]:
    """Make the folds of a protocol by its name.

    Parameters
    ----------
    index
        One row a clip.
    protocol
        ``"loso"`` (``"composite"`` is the same, on the index of the three sets), ``"kfold"``, or
        ``"cross"``: train on one data set, test on each other one in the index.
    train
        Training set of ``"cross"``.
    k, seed
        Number of folds and seed of ``"kfold"``.

    Returns
    -------
    list of Fold

    Raises
    ------
    InputError
        If there is no such protocol.

    Examples
    --------
    >>> rows = [("smic", "s01", "a", 0), ("samm", "006", "b", 1), ("casme2", "sub01", "c", 2)]
    >>> index = pd.DataFrame(rows, columns=REQUIRED_COLUMNS)
    >>> [fold.name for fold in make_folds(index, "cross", train="smic")]
    ['smic to casme2', 'smic to samm']
    """
    if protocol in ("loso", "composite"):
        return leave_one_subject_out(index)
    if protocol == "kfold":
        return grouped_k_fold(index, k, seed)
    if protocol == "cross":
        others = [name for name in np.unique(index["dataset"].astype(str)) if name != train]
        return [fold for test in others for fold in cross_dataset(index, train, str(test))]
    raise InputError(f"unknown protocol {protocol!r}: choose loso, composite, kfold or cross")


# ---------------------------------------------------------------------------------- one fold


PRETRAINED = "memaa_lib.experiments.pretraining:pretrained_weights"  # not the paper's


@dataclass(frozen=True, eq=False)
class StartingWeights:
    """Weights that a run starts from, and where they come from.

    Parameters
    ----------
    name
        What they are, for results and pages.
    digest
        Changes with them.
    read
        Returns weights and buffers; see ``state``.
    """

    name: str
    digest: str
    read: Callable[[], StateDict]

    @cached_property
    def state(self) -> StateDict:
        """Weights and buffers, read when they are first asked for: kept folds need none."""
        return self.read()


def starting_weights(
    profile: TrainingProfile,
    *,
    seed: int = 0,
    weights: Path | str | None = None,
    n_jobs: int = 2,
) -> StartingWeights:
    """Return the weights a profile starts from.

    Parameters
    ----------
    profile
        Its ``initialisation`` decides.
    seed
        Seed of what is random in them.
    weights
        File to take instead of downloading or training.
    n_jobs
        Processes that render the pre-training clips.

    Returns
    -------
    StartingWeights

    Raises
    ------
    InputError
        If the file does not fit, or weights are given for a start from scratch.
    """
    if profile.initialisation == "scratch":
        if weights is not None:
            raise InputError(
                f"profile {profile.name!r} starts from scratch: leave the weights file out, or "
                "choose initialisation='imagenet' or 'pretrained'"
            )
        from memaa_lib.network import scratch_weights

        return _in_memory("scratch", scratch_weights(seed))
    if profile.initialisation == "imagenet":
        from memaa_lib.network import imagenet_weights

        start = _in_memory(f"imagenet ({IMAGENET_FILE})", imagenet_weights(weights, seed))
    else:
        path = Path(weights or pkgutil.resolve_name(PRETRAINED)(n_jobs=n_jobs))
        start = StartingWeights(
            f"pretrained ({path.name})", weights_file_digest(path), lambda: read_weights(path)
        )
    if weights is not None:  # ours fit, and to build a network in order to see it takes seconds
        from memaa_lib.network import scratch_weights

        expected = {key: value.shape for key, value in scratch_weights().items()}
        if {key: value.shape for key, value in start.state.items()} != expected:
            raise InputError(
                f"{start.name}: not the weights of a ResNet-34 with {len(CLASSES)} outputs"
            )
    return start


def _in_memory(name: str, state: StateDict) -> StartingWeights:
    return StartingWeights(name, weights_digest(state), lambda: state)


@dataclass(frozen=True, eq=False)
class FoldTask:
    """All a fold needs to know; plain data, so it can be sent to another machine.

    Parameters
    ----------
    fold
        Which clips.
    train_labels
        ``(len(fold.train),)`` codes.
    train_columns, test_column
        Places of the training and test amplification factors among the inputs.
    profile
        Training settings.
    seed
        Seed of this fold.
    device
        ``"cpu"`` or ``"cuda"``.
    fingerprint
        Changes with anything the result depends on.
    leaked_labels
        Labels of the test clips, only with ``leak="early-stopping"``; None otherwise.
    """

    fold: Fold
    train_labels: NDArray[np.int64]
    train_columns: tuple[int, ...]
    test_column: int
    profile: TrainingProfile
    seed: int
    device: str
    fingerprint: str
    leaked_labels: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class MethodProfile:
    """How a compared system was run.

    Parameters
    ----------
    name
        Its name and that of the profile, e.g. ``"ststnet, laptop"``.
    """

    name: str


@dataclass(frozen=True, eq=False)
class MethodTask:
    """All a fold of a compared system needs to know.

    Parameters
    ----------
    fold
        Which clips.
    method, profile
        See :func:`evaluate_method`.
    train_labels
        ``(len(fold.train),)`` codes.
    seed
        Seed of this fold.
    fingerprint
        Changes with anything the result depends on.
    """

    fold: Fold
    method: str
    profile: str
    train_labels: NDArray[np.int64]
    seed: int
    fingerprint: str


def _systems() -> Any:
    return pkgutil.resolve_name(SYSTEMS)


AnyTask = TypeVar("AnyTask", FoldTask, MethodTask)


def run_method_fold(features: NDArray[np.floating], task: MethodTask) -> dict[str, Any]:
    """Train a compared system on the fold's training clips and predict its test clips.

    Parameters
    ----------
    features
        ``(N, D)``, all clips.
    task
        The fold.

    Returns
    -------
    dict
        As :func:`run_fold`.
    """
    began = time.perf_counter()
    classifier = _systems().system_named(task.method).classifier(task.profile, task.seed)
    classifier.fit(features[task.fold.train], task.train_labels)
    predictions = classifier.predict(features[task.fold.test])
    return {
        "fold": task.fold.name,
        "fingerprint": task.fingerprint,
        "method": task.method,
        "profile": task.profile,
        "seed": task.seed,
        "predictions": [int(code) for code in predictions],
        "weights_digest": classifier.digest,
        "seconds": round(time.perf_counter() - began, 3),
    }


def run_fold(
    inputs: NDArray[Any], start: Mapping[str, NDArray[Any]], task: FoldTask
) -> dict[str, Any]:
    """Train on the fold's training clips and predict its test clips.

    Parameters
    ----------
    inputs
        ``(N, A, V, ...)`` from ``network.network_inputs``, all clips.
    start
        Starting weights as arrays.
    task
        The fold.

    Returns
    -------
    dict
        Plain values, ready for JSON: ``predictions`` (codes), ``weights_digest``, ``losses``,
        ``seconds`` and what the fold was.
    """
    import torch

    from memaa_lib import network

    began = time.perf_counter()
    weights = {name: torch.from_numpy(np.array(values)) for name, values in start.items()}
    clips = inputs[np.ix_(task.fold.train, np.array(task.train_columns))]
    images = clips.reshape(-1, *clips.shape[2:])
    labels = np.repeat(task.train_labels, len(task.train_columns))
    test_inputs = inputs[task.fold.test, task.test_column]
    best = _BestEpoch(test_inputs, task) if task.leaked_labels is not None else None
    trained = network.train(
        images,
        labels,
        task.profile,
        weights,
        seed=task.seed,
        device=task.device,
        after_epoch=best,
    )
    if best is None:
        outputs = network.predict(test_inputs, task.profile, trained.state, device=task.device)
        predictions = outputs.argmax(axis=1)
    else:
        predictions = best.predictions
    return {
        "fold": task.fold.name,
        "fingerprint": task.fingerprint,
        "profile": task.profile.name,
        "seed": task.seed,
        "device": task.device,
        "leak": None if best is None else "early-stopping",
        "epoch": task.profile.epochs if best is None else best.epoch,
        "trained_images": len(images),
        "predictions": [int(code) for code in predictions],
        "weights_digest": trained.digest,
        "losses": [round(loss, 6) for loss in trained.losses],
        "seconds": round(time.perf_counter() - began, 3),
    }


class _BestEpoch:
    """The leak: keeps the epoch that does best on the *test* clips. Never used by default."""

    def __init__(self, test_inputs: NDArray[Any], task: FoldTask) -> None:
        self.inputs = test_inputs
        self.task = task
        self.epoch = 0
        self.accuracy = -1.0
        self.predictions: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def __call__(self, epoch: int, part: Any) -> None:
        from memaa_lib import network

        outputs = network.predict(self.inputs, self.task.profile, part, device=self.task.device)
        predictions = outputs.argmax(axis=1)
        accuracy = float(np.mean(predictions == self.task.leaked_labels))
        if accuracy > self.accuracy:
            self.epoch, self.accuracy, self.predictions = epoch, accuracy, predictions


# ---------------------------------------------------------------------------------- all folds


@dataclass(frozen=True, eq=False)
class Results:
    """Outcome of a run.

    Parameters
    ----------
    predictions
        Predictions table with the column ``fold`` besides; see ``memaa_lib.metrics``.
    folds
        One row a finished fold: name, seed, epoch, digest of the weights, seconds and so on.
    profile
        Training settings.
    seed
        Seed of the run.
    start
        Which starting weights, and their digest.
    leak
        None, or the error that was switched on; then the scores are worthless on purpose.
    complete
        False if a time limit stopped the run before all folds were done.
    folder
        Where the fold files are.
    """

    predictions: pd.DataFrame
    folds: pd.DataFrame
    profile: TrainingProfile | MethodProfile
    seed: int
    start: str
    leak: str | None
    complete: bool
    folder: Path

    @property
    def digest(self) -> str:
        """Sixteen digits that change with any weight or prediction of any fold."""
        rows = self.folds.sort_values("fold")
        return fingerprint(
            rows["fold"].tolist(),
            rows["weights_digest"].tolist(),
            self.predictions.sort_values(["dataset", "subject", "clip"]).to_csv(index=False),
        )

    def scores(self, by: str | None = "dataset") -> pd.DataFrame:
        """Return all scores, see ``memaa_lib.metrics.scores``; ``attrs`` names profile and leak.

        Parameters
        ----------
        by
            Column whose values get a row each.

        Returns
        -------
        pandas.DataFrame
        """
        table = metrics.scores(self.predictions, by)
        table.attrs = {"profile": self.profile.name, "start": self.start, "leak": self.leak}
        return table


def evaluate(
    avatars: NDArray[np.uint8],
    alphas: Sequence[float],
    index: pd.DataFrame,
    folds: Sequence[Fold],
    profile: str | TrainingProfile = "laptop",
    *,
    out: Path | str | None = None,
    n_jobs: int = 2,
    seed: int = 0,
    weights: Path | str | None = None,
    device: str = "cpu",
    cluster: str | None = None,
    time_limit: float | None = None,
    leak: str | None = None,
) -> Results:
    """Train and test every fold.

    Parameters
    ----------
    avatars
        ``(N, A, S, S, 3)`` uint8: A amplification factors of N clips.
    alphas
        The A factors.
    index
        One row a clip, in the order of ``avatars``.
    folds
        From ``leave_one_subject_out``, ``grouped_k_fold`` or ``cross_dataset``.
    profile
        Training settings or their name.
    out
        Folder of the fold files; None takes the cache. Finished folds found there are kept.
    n_jobs
        Processes on this machine, one thread each. Results do not depend on it.
    seed
        Seed of the run; each fold's own seed is made from it and the fold's name.
    weights
        File with the starting weights, for ``initialisation`` imagenet or pretrained.
    device
        ``"cpu"``, or ``"cuda"``, where folds run one after another in this process.
    cluster
        ``"tcp://host:port"`` of a Dask scheduler, or ``"slurm"`` to start workers through
        dask-jobqueue as its configuration file says; None runs here.
    time_limit
        Seconds after which no new fold is begun.
    leak
        ``"early-stopping"`` picks each fold's epoch by the score on its *test* clips: the field's
        commonest error, to show what it is worth. The result says so.

    Returns
    -------
    Results

    Raises
    ------
    InputError
        If the inputs do not fit together.
    """
    settings = profiles.profile_named(profile)
    tasks, start = plan_tasks(
        avatars, alphas, index, folds, settings,
        seed=seed, weights=weights, device=device, leak=leak, n_jobs=n_jobs, time_limit=time_limit,
    )  # fmt: skip
    folder = cache_root() / "folds" if out is None else Path(out)

    def run(missing: Sequence[FoldTask]) -> Iterator[dict[str, Any]]:
        inputs = _kept_inputs(avatars, settings, start)
        arrays = {name: value.numpy() for name, value in start.state.items()}
        gpu = device != "cpu"
        return run_tasks(
            run_fold, (inputs, arrays), missing, n_jobs,
            cluster=cluster, time_limit=time_limit, gpu=gpu,
        )  # fmt: skip

    done = _run_missing(tasks, folder, "training folds", run)
    return _collect(index, tasks, done, settings, seed, start.name, leak, folder)


def evaluate_method(
    features: NDArray[np.floating],
    index: pd.DataFrame,
    folds: Sequence[Fold],
    method: str,
    profile: str = "laptop",
    *,
    out: Path | str | None = None,
    n_jobs: int = 2,
    seed: int = 0,
    time_limit: float | None = None,
) -> Results:
    """Train and test a compared system on every fold, as :func:`evaluate` does the paper's method.

    Parameters
    ----------
    features
        ``(N, D)``, from :func:`memaa_lib.baselines.make_features`.
    index
        One row a clip, in the order of ``features``.
    folds
        The same as for the paper's method.
    method
        Name of a system, see :data:`memaa_lib.baselines.SYSTEMS`.
    profile
        ``"laptop"``, or ``"paper"`` for the published training settings of the small networks.
    out, n_jobs, seed, time_limit
        See :func:`evaluate`.

    Returns
    -------
    Results

    Raises
    ------
    InputError
        If the inputs do not fit together.
    """
    check_folds(index, folds)
    _systems().system_named(method)
    if profile not in _systems().SYSTEM_PROFILES:
        raise InputError(
            f"unknown profile {profile!r}: choose one of {', '.join(_systems().SYSTEM_PROFILES)}"
        )
    if features.ndim != 2 or len(features) != len(index):
        raise InputError(f"features of {features.shape}; expected one row for {len(index)} clips")
    labels = metrics.class_codes(index["label"].to_numpy(), "index, column label")
    tasks = _method_tasks(features, labels, folds, method, profile, seed)
    folder = cache_root() / "folds" if out is None else Path(out)

    def run(missing: Sequence[MethodTask]) -> Iterator[dict[str, Any]]:
        return run_tasks(run_method_fold, (features,), missing, n_jobs, time_limit=time_limit)

    done = _run_missing(tasks, folder, f"folds of {method}", run)
    named = MethodProfile(f"{method}, {profile}")
    return _collect(index, tasks, done, named, seed, "scratch", None, folder)


def _method_tasks(
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    folds: Sequence[Fold],
    method: str,
    profile: str,
    seed: int,
) -> list[MethodTask]:
    """Write out each fold of a compared system with its seed and fingerprint."""
    digests = [fingerprint(row) for row in features]
    tasks = []
    for fold in folds:
        fold_seed = int(fingerprint(seed, fold.name)[:8], 16)
        train_part = [(digests[i], int(labels[i])) for i in fold.train]
        test_part = [digests[i] for i in fold.test]
        key = fingerprint(VERSION, method, profile, fold_seed, train_part, test_part)
        tasks.append(MethodTask(fold, method, profile, labels[fold.train], fold_seed, key))
    return tasks


def plan_tasks(
    avatars: NDArray[np.uint8],
    alphas: Sequence[float],
    index: pd.DataFrame,
    folds: Sequence[Fold],
    profile: str | TrainingProfile = "laptop",
    *,
    seed: int = 0,
    weights: Path | str | None = None,
    device: str = "cpu",
    leak: str | None = None,
    n_jobs: int = 2,
    time_limit: float | None = None,
) -> tuple[list[FoldTask], StartingWeights]:
    """Write out what :func:`evaluate` would run, without running it.

    Parameters
    ----------
    avatars, alphas, index, folds, profile, seed, weights, device, leak, n_jobs, time_limit
        See :func:`evaluate`.

    Returns
    -------
    tasks : list of FoldTask
        One a fold, each with its seed and fingerprint.
    start : StartingWeights

    Raises
    ------
    InputError
        If the inputs do not fit together.
    """
    settings = profiles.profile_named(profile)
    labels = _check_inputs(avatars, alphas, index, folds, leak, n_jobs, time_limit)
    train_columns, test_column = _alpha_columns(alphas, settings)
    start = starting_weights(settings, seed=seed, weights=weights, n_jobs=n_jobs)
    tasks = _make_tasks(
        avatars, index, labels, folds, settings, start, train_columns, test_column,
        seed=seed, device=device, leak=leak,
    )  # fmt: skip
    return tasks, start


def _check_inputs(
    avatars: NDArray[np.uint8],
    alphas: Sequence[float],
    index: pd.DataFrame,
    folds: Sequence[Fold],
    leak: str | None,
    n_jobs: int,
    time_limit: float | None,
) -> NDArray[np.int64]:
    """Refuse inputs that do not fit together; return the label codes."""
    check_folds(index, folds)
    expected = f"({len(index)}, {len(alphas)}, S, S, 3)"
    if avatars.ndim != 5 or avatars.shape[:2] != (len(index), len(alphas)):
        raise InputError(
            f"avatars of {len(index)} clips at {len(alphas)} factors have the shape {expected}; "
            f"got {avatars.shape}"
        )
    if leak is not None and leak not in LEAKS:
        raise InputError(f"unknown leak {leak!r}: choose one of {', '.join(LEAKS)}, or none")
    if n_jobs < 1:
        raise InputError(f"n_jobs must be at least 1; got {n_jobs}")
    if time_limit is not None and not time_limit > 0:
        raise InputError(f"time_limit must be a number of seconds above 0; got {time_limit}")
    return metrics.class_codes(index["label"].to_numpy(), "index, column label")


def _alpha_columns(
    alphas: Sequence[float], profile: TrainingProfile
) -> tuple[tuple[int, ...], int]:
    """Find the profile's amplification factors among those of the avatars."""
    places = {float(alpha): place for place, alpha in enumerate(alphas)}
    wanted = (*profile.train_alphas, profile.test_alpha)
    lacking = [alpha for alpha in wanted if float(alpha) not in places]
    if lacking:
        raise InputError(
            f"profile {profile.name!r} needs avatars at alpha {', '.join(map(str, lacking))}; "
            f"there are {', '.join(map(str, alphas))}"
        )
    return tuple(places[float(alpha)] for alpha in profile.train_alphas), places[
        float(profile.test_alpha)
    ]


def _make_tasks(
    avatars: NDArray[np.uint8],
    index: pd.DataFrame,
    labels: NDArray[np.int64],
    folds: Sequence[Fold],
    profile: TrainingProfile,
    start: StartingWeights,
    train_columns: tuple[int, ...],
    test_column: int,
    *,
    seed: int,
    device: str,
    leak: str | None,
) -> list[FoldTask]:
    """Write out each fold with its seed and fingerprint."""
    digests = [fingerprint(clip) for clip in avatars]
    common = (VERSION, asdict(profile), start.digest, device, leak)
    tasks = []
    for fold in folds:
        fold_seed = int(fingerprint(seed, fold.name)[:8], 16)
        train_part = [(digests[i], int(labels[i])) for i in fold.train]
        test_part = [(digests[i], int(labels[i]) if leak else None) for i in fold.test]
        tasks.append(
            FoldTask(
                fold=fold,
                train_labels=labels[fold.train],
                train_columns=train_columns,
                test_column=test_column,
                profile=profile,
                seed=fold_seed,
                device=device,
                fingerprint=fingerprint(
                    common, train_columns, test_column, fold_seed, train_part, test_part
                ),
                leaked_labels=labels[fold.test] if leak else None,
            )
        )
    return tasks


def _kept_inputs(
    avatars: NDArray[np.uint8], settings: TrainingProfile, start: StartingWeights
) -> NDArray[Any]:
    """Return what the trained part takes; the layers below it are run once for all runs."""
    if settings.trainable == "all":
        from memaa_lib import network

        return network.network_inputs(avatars, settings, start.state)
    view = (settings.image_size, settings.view, settings.trainable, settings.precision)
    key = fingerprint(VERSION, avatars, view, start.digest)

    def make() -> tuple[NDArray[Any]]:
        from memaa_lib import network

        return (network.network_inputs(avatars, settings, start.state),)

    return kept_arrays(f"inputs/{key}.npz", make)[0]


def _run_missing(
    tasks: Sequence[AnyTask],
    folder: Path,
    description: str,
    run: Callable[[Sequence[AnyTask]], Iterator[dict[str, Any]]],
) -> dict[str, dict[str, Any]]:
    """Read the kept results, run the folds that have none, and keep each result as it comes."""
    # Not cache.kept: results lie in a folder that the user may name, and each is kept when it comes.
    done = {task.fold.name: found for task in tasks if (found := _read_result(folder, task))}
    missing = [task for task in tasks if task.fold.name not in done]
    if missing:
        with progress(description, len(tasks)) as advance:
            advance(len(done))
            for result in run(missing):
                done[result["fold"]] = result
                _write_result(folder, result)
                advance()
    return done


def _result_path(folder: Path, name: str, key: str) -> Path:
    """Name the file of a fold."""
    readable = "".join(letter if letter.isalnum() else "-" for letter in name)
    return folder / f"{readable}-{key}.json"


def _write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Keep a fold's result."""
    with atomic_path(_result_path(folder, result["fold"], result["fingerprint"])) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _read_result(folder: Path, task: FoldTask | MethodTask) -> dict[str, Any] | None:
    """Return a kept result of exactly this fold, or None."""
    path = _result_path(folder, task.fold.name, task.fingerprint)
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    codes = result.get("predictions") if isinstance(result, dict) else None
    fits = (
        isinstance(codes, list)
        and result.get("fingerprint") == task.fingerprint
        and "weights_digest" in result
        and len(codes) == len(task.fold.test)
        and all(type(code) is int and 0 <= code < len(CLASSES) for code in codes)
    )
    return result if fits else None


def _collect(
    index: pd.DataFrame,
    tasks: Iterable[FoldTask | MethodTask],
    done: Mapping[str, dict[str, Any]],
    profile: TrainingProfile | MethodProfile,
    seed: int,
    start: str,
    leak: str | None,
    folder: Path,
) -> Results:
    """Put the folds together, in the order of the index."""
    tasks = list(tasks)
    parts, rows = [], []
    for task in tasks:
        if (result := done.get(task.fold.name)) is None:
            continue
        part = index.iloc[task.fold.test][list(REQUIRED_COLUMNS)].copy()
        part["prediction"] = np.array(CLASSES, dtype=object)[result["predictions"]]
        part["fold"] = task.fold.name
        part["_position"] = task.fold.test
        parts.append(part)
        rows.append({key: result[key] for key in result if key not in ("predictions", "losses")})
    if not parts:
        raise InputError("the time limit left no fold finished: allow more time")
    table = pd.concat(parts).sort_values("_position").drop(columns="_position")
    return Results(
        predictions=metrics.check_predictions(table.reset_index(drop=True)),
        folds=pd.DataFrame(rows),
        profile=profile,
        seed=seed,
        start=start,
        leak=leak,
        complete=len(rows) == len(tasks),
        folder=folder,
    )


def train(
    dataset: str,
    protocol: str = "loso",
    profile: str | TrainingProfile = "laptop",
    *,
    root: Path | str | None = None,
    k: int = 5,
    seed: int = 0,
    n_jobs: int = 2,
    avatar_settings: AvatarSettings | None = None,
    **options: Any,
) -> Results:
    """Load a data set, make its avatars, and train and test every fold.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"`` or ``"composite"``.
    protocol
        ``"loso"``, ``"composite"`` (leave one subject out on all three), ``"kfold"``, or
        ``"cross"`` (train on ``dataset``, test on the two others).
    profile
        Training settings or their name.
    root
        Folder of the data; None takes the configured one, else the synthetic twin.
    k
        Number of folds of ``"kfold"``.
    seed
        Seed of the run.
    n_jobs
        Processes.
    avatar_settings
        Chain from clip to avatar.
    **options
        Passed on to ``evaluate``.

    Returns
    -------
    Results

    Examples
    --------
    >>> train("smic", "kfold").scores()  # doctest: +SKIP
    """
    from memaa_lib.avatar import make_avatars
    from memaa_lib.datasets import load_index

    settings = profiles.profile_named(profile)
    whole = "composite" if protocol in ("composite", "cross") else dataset
    index = load_index(whole, root=root)
    folds = make_folds(index, protocol, train=dataset, k=k, seed=seed)
    alphas = sorted({*settings.train_alphas, settings.test_alpha})
    avatars = make_avatars(index, alphas, avatar_settings, n_jobs=n_jobs)
    return evaluate(avatars, alphas, index, folds, settings, seed=seed, n_jobs=n_jobs, **options)


def train_method(
    dataset: str,
    method: str,
    protocol: str = "loso",
    profile: str = "laptop",
    *,
    root: Path | str | None = None,
    k: int = 5,
    seed: int = 0,
    n_jobs: int = 2,
    apex_rule: str = "middle",
    **options: Any,
) -> Results:
    """Load a data set, make the features of a compared system, and train and test every fold.

    Parameters
    ----------
    dataset, protocol, root, k, seed, n_jobs
        See :func:`train`; the folds are the same.
    method
        Name of a system, see :data:`memaa_lib.baselines.SYSTEMS`.
    profile
        ``"laptop"``, or ``"paper"`` for the published training settings of the small networks.
    apex_rule
        What stands for an apex that nobody annotated (SMIC): ``"middle"`` or ``"searched"``.
    **options
        Passed on to :func:`evaluate_method`.

    Returns
    -------
    Results

    Examples
    --------
    >>> train_method("smic", "bi_woof").scores()  # doctest: +SKIP
    """
    from memaa_lib.datasets import load_index

    _systems().system_named(method)
    index = load_index("composite" if protocol in ("composite", "cross") else dataset, root=root)
    folds = make_folds(index, protocol, train=dataset, k=k, seed=seed)
    features = _systems().make_features(index, [method], apex_rule=apex_rule, n_jobs=n_jobs)[method]
    return evaluate_method(
        features, index, folds, method, profile, seed=seed, n_jobs=n_jobs, **options
    )
