"""Folds of Sec. 4 (leave one subject out, composite, cross-dataset), and one way from clips to scores.

A subject is a pair (data set, subject id): the ids of different sets collide. Folds are lists of
clips; the magnified copies of a clip follow it, so no copy of a test clip is ever trained on. What
learns a fold is given the labels of the training clips only.

The paper's method is one :class:`System` among others: all turn clips into features and learn a fold
from them. Each fold's result is one small JSON file, written whole, so a run that was stopped goes on
with the folds whose file is missing. Results depend neither on the number of processes nor on order.
"""

from __future__ import annotations

import json
import logging
import pkgutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib import metrics
from memaa_lib._support.cache import (
    VERSION,
    atomic_path,
    cache_root,
    check_folder,
    fingerprint,
    kept_arrays,
)
from memaa_lib._support.errors import InputError, check_count, check_seed
from memaa_lib._support.machine import check_device
from memaa_lib._support.running import check_cluster, progress, run_tasks
from memaa_lib._support.weights import StateDict, read_weights, weights_digest, weights_file_digest
from memaa_lib.avatar import AvatarSettings, make_avatars
from memaa_lib.datasets import load_index
from memaa_lib.datasets.index import Roots, check_mixture
from memaa_lib.datasets.manifests import load_manifest
from memaa_lib.datasets.roots import released_root
from memaa_lib.paper import CLASSES, DATASETS
from memaa_lib.profiles import DEFAULT_METHOD, IMAGENET_FILE, TrainingProfile, profile_named

logger = logging.getLogger(__name__)

PROTOCOLS = ("loso", "composite", "kfold", "cross")
"""Ways to make folds, see :func:`train`."""

LEAKS: tuple[str, ...] = ("early-stopping",)
"""Errors of evaluation that can be switched on, to show what they are worth."""

REQUIRED_COLUMNS: tuple[str, ...] = ("dataset", "subject", "clip", "label")
"""Columns of an index that the protocol uses."""

_WORTH_SAYING = 60.0  # s that are left after the first fold


# ------------------------------------------------------------------------------------- folds


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
    """Return one text per clip that no two subjects share, ``dataset/subject``."""
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
        One row a clip, with the columns ``dataset``, ``subject``, ``clip`` and ``label``.

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
    from sklearn.model_selection import LeaveOneGroupOut  # here: it takes seconds to import

    keys = subject_keys(index)
    names = np.unique(keys)
    if len(names) < 2:
        raise InputError(f"index: only subject {names[0]}; leaving it out leaves nothing to train")
    splits = LeaveOneGroupOut().split(keys, groups=keys)  # groups in sorted order
    return [Fold(str(name), *split) for name, split in zip(names, splits, strict=True)]


def grouped_k_fold(index: pd.DataFrame, k: int = 5, seed: int = 0) -> list[Fold]:
    """Make k folds of whole subjects with class proportions as equal as can be.

    Not the paper's protocol: a cheaper stand-in for it, and labelled so wherever it is used.

    Parameters
    ----------
    index
        One row a clip, as for :func:`leave_one_subject_out`.
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
    from sklearn.model_selection import StratifiedGroupKFold

    keys = subject_keys(index)
    labels = metrics.class_codes(index["label"].to_numpy(), "index, column label")
    subjects = len(np.unique(keys))
    if type(k) is not int or not 2 <= k <= subjects:
        raise InputError(f"k must be between 2 and the number of subjects, {subjects}; got {k}")
    splitter = StratifiedGroupKFold(k, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a class that cannot be in every fold
        try:
            splits = list(splitter.split(keys, labels, groups=keys))
        except ValueError as error:
            raise InputError(f"k is {k}, more than the clips of any class: choose fewer") from error
    return [Fold(f"fold {i} of {k}", *split) for i, split in enumerate(splits, start=1)]


def cross_dataset(index: pd.DataFrame, train: str, test: str) -> list[Fold]:
    """Make the single fold of Table 7: train on all of one data set, test on all of another."""
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


def check_folds(index: pd.DataFrame, folds: Sequence[Fold]) -> None:
    """Refuse folds that share a subject, test a clip twice or point outside the index."""
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
    """Make the folds of a protocol by its name, see :func:`train`.

    ``train`` is the training set of ``"cross"``; ``k`` and ``seed`` are of ``"kfold"``.
    """
    if protocol in ("loso", "composite"):
        return leave_one_subject_out(index)
    if protocol == "kfold":
        return grouped_k_fold(index, k, seed)
    if protocol == "cross":
        others = [name for name in np.unique(index["dataset"].astype(str)) if name != train]
        return [fold for test in others for fold in cross_dataset(index, train, str(test))]
    raise InputError(f"unknown protocol {protocol!r}: choose one of {', '.join(PROTOCOLS)}")


def members_of(dataset: str, protocol: str) -> tuple[str, ...]:
    """Return the data sets that a protocol reads; what it cannot do is refused.

    Examples
    --------
    >>> members_of("smic", "loso"), members_of("smic", "cross")
    (('smic',), ('smic', 'casme2', 'samm'))
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"unknown protocol {protocol!r}: choose one of {', '.join(PROTOCOLS)}")
    if dataset not in (*DATASETS, "composite"):
        raise InputError(f"{dataset}: unknown data set; there are {', '.join(DATASETS)}, composite")
    if protocol == "cross" and dataset == "composite":
        raise InputError(
            "protocol cross trains on one data set and tests on the others: choose one of "
            f"{', '.join(DATASETS)} for training"
        )
    alone = protocol in ("loso", "kfold") and dataset != "composite"
    return (dataset,) if alone else DATASETS


def load_members(
    dataset: str, protocol: str, root: Roots = None, *, allow_mixed: bool = False
) -> pd.DataFrame:
    """Return the index of all clips that a protocol reads: of one data set, or of the composite."""
    members = members_of(dataset, protocol)
    return load_index("composite" if len(members) > 1 else dataset, root, allow_mixed=allow_mixed)


# ----------------------------------------------------------------------------------- systems


class Learner(Protocol):
    """What learns a fold, as in scikit-learn: ``fit`` forgets whatever was learned before."""

    def fit(self, inputs: NDArray[Any], labels: NDArray[np.int64], seed: int) -> None:
        """Learn from clips, a row each, and their codes."""

    def predict(self, inputs: NDArray[Any]) -> NDArray[np.int64]:
        """Return the code of each clip."""

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""

    @property
    def record(self) -> Mapping[str, Any]:
        """What the fold's file says besides, in values that JSON can hold."""


class System(Protocol):
    """A way from clips to classes with its settings: the paper's method, or one compared with it."""

    name: str
    profile: Any  # what results say of the settings
    seed: int
    device: str
    quick: bool  # whether a fold takes about a second: less than to start a process for it
    leak: str | None

    @property
    def start(self) -> str:
        """What it starts from."""

    def features(
        self, index: pd.DataFrame, n_jobs: int, cluster: str | None = None
    ) -> NDArray[Any]:
        """Return an array with a row for each clip of an index, made here or on a cluster."""

    def key(self) -> Any:
        """Return all that results depend on besides features, labels and seed."""

    def learner(self, features: NDArray[Any]) -> tuple[NDArray[Any], Learner]:
        """Return what a learner takes of all clips, and a learner that has learned nothing yet."""


SYSTEMS: dict[str, Callable[..., System]] = {}
"""Systems by name, each called with a profile and, by name, ``seed``, ``n_jobs`` and its own options.

The paper's method is entered below; the wing of compared systems enters the others.

:meta hide-value:
"""

_WING = "memaa_lib.baselines"  # loaded when another system than the paper's is asked for
_PRETRAINING = "memaa_lib.experiments.pretraining:weights_for"  # not the paper's


def system_named(name: str) -> Callable[..., System]:
    """Return a system of the table by its name."""
    if name not in SYSTEMS:
        pkgutil.resolve_name(_WING)
    if name not in SYSTEMS:
        raise InputError(f"{name}: no such method; there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


class Memaa:
    """The paper's method: avatars (Sec. 3.1 to 3.4), and ResNet-34 that learns from them (Sec. 3.5).

    Its features are avatars ``(N, A, S, S, 3)``, a column for each of the profile's ``alphas``.

    Parameters
    ----------
    profile
        Training settings or their name.
    seed
        Seed of the run; each fold's own seed is made from it and the fold's name.
    n_jobs
        Processes that render pre-training clips.
    weights
        File with the starting weights, for ``initialisation`` imagenet or pretrained.
    device
        ``"cpu"``, or ``"cuda"``, where folds run one after another in this process.
    leak
        ``"early-stopping"`` picks each fold's epoch by the score on its *test* clips: the field's
        commonest error, to show what it is worth. Results say so.
    avatar_settings
        Chain from clip to avatar.

    Raises
    ------
    InputError
        If there is no such profile or leak, or the weights file is not one that the profile takes.
    """

    name = "memaa"

    def __init__(
        self,
        profile: str | TrainingProfile = "laptop",
        *,
        seed: int = 0,
        n_jobs: int = 2,
        weights: Path | str | None = None,
        device: str = "cpu",
        leak: str | None = None,
        avatar_settings: AvatarSettings | None = None,
    ) -> None:
        if leak not in (None, *LEAKS):
            raise InputError(f"unknown leak {leak!r}: choose one of {', '.join(LEAKS)}, or none")
        self.profile, self.seed, self.device, self.leak = profile_named(profile), seed, device, leak
        _check_weights_file(self.profile, weights)
        self.quick = self.profile.trainable == "fc"
        self.avatar_settings = avatar_settings
        self._given: dict[str, Any] = {"weights": weights, "n_jobs": n_jobs}

    @cached_property
    def weights(self) -> StartingWeights:
        """The starting weights, made when they are first asked for: that may take long."""
        return starting_weights(self.profile, seed=self.seed, device=self.device, **self._given)

    @property
    def start(self) -> str:
        """Which starting weights."""
        return self.weights.name

    def features(
        self, index: pd.DataFrame, n_jobs: int, cluster: str | None = None
    ) -> NDArray[np.uint8]:
        """Return the avatars."""
        return make_avatars(
            index, self.profile.alphas, self.avatar_settings, n_jobs=n_jobs, cluster=cluster
        )

    def key(self) -> Any:
        """Return all that results depend on besides avatars, labels and seed."""
        return self.name, asdict(self.profile), self.weights.digest, self.device, self.leak

    def learner(self, features: NDArray[np.uint8]) -> tuple[NDArray[Any], Learner]:
        """Run the layers that are never trained, once for all folds and runs."""
        from memaa_lib import network

        alphas = ", ".join(f"{alpha:g}" for alpha in self.profile.alphas)
        if features.ndim != 5 or features.shape[1] != len(self.profile.alphas):
            raise InputError(
                f"avatars of {len(features)} clips at alpha {alphas} have the shape "
                f"({len(features)}, {len(self.profile.alphas)}, S, S, 3); got {features.shape}"
            )

        def make() -> tuple[NDArray[Any]]:
            return (network.network_inputs(features, self.profile, self.weights.state),)

        if self.profile.trainable == "all":
            (inputs,) = make()
        else:
            view = [getattr(self.profile, field) for field in ("image_size", "view", "trainable")]
            view.append(network.precision_here(self.profile, "cpu"))
            key = fingerprint(VERSION, features, view, self.weights.digest)
            inputs = kept_arrays(f"inputs/{key}.npz", make)[0]
        arrays = {name: value.numpy() for name, value in self.weights.state.items()}
        return inputs, network.AvatarNetwork(self.profile, arrays, self.device)


SYSTEMS[Memaa.name] = Memaa


@dataclass(frozen=True, eq=False)
class StartingWeights:
    """Weights that a run starts from: what they are, and a digest that changes with them."""

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
    device: str = "cpu",
) -> StartingWeights:
    """Return the weights a profile starts from: given, downloaded, random or made by pre-training.

    ``n_jobs`` processes render what pre-training sees, and ``device`` runs it.
    """
    _check_weights_file(profile, weights)
    if profile.initialisation == "scratch":
        from memaa_lib.network import scratch_weights

        return _in_memory("scratch", scratch_weights(seed))
    if profile.initialisation == "imagenet":
        from memaa_lib.network import imagenet_weights

        start = _in_memory(f"imagenet ({IMAGENET_FILE})", imagenet_weights(weights, seed))
    else:
        make = pkgutil.resolve_name(_PRETRAINING)
        path = Path(weights or make(profile, n_jobs=n_jobs, device=device))
        start = StartingWeights(
            f"pretrained ({path.name})", weights_file_digest(path), lambda: read_weights(path)
        )
    if weights is not None:  # ours fit, and to build a network in order to see it takes seconds
        from memaa_lib.network import scratch_weights

        misfit = _misfit(start.state, scratch_weights())
        if misfit:
            raise InputError(
                f"{start.name}: not the weights of a ResNet-34 with {len(CLASSES)} outputs: {misfit}"
            )
    return start


def _misfit(state: StateDict, expected: StateDict) -> str:
    """Say the first thing in which weights differ from what a network takes; empty if they fit."""
    if len(state) == len(expected):
        for name, ours in zip(state, expected, strict=True):
            if name != ours and name.endswith(f".{ours}"):
                return (
                    f"{name} is called {ours} here; take {name.removesuffix(ours)!r} off all names"
                )
    for name, values in expected.items():
        if name not in state:
            return f"{name} is missing"
        told = [f"{tuple(one.shape)} {one.dtype}" for one in (state[name], values)]
        if told[0] != told[1]:
            return f"{name} is {told[0]}, expected {told[1]}"
    return next((f"{name} is not expected" for name in state if name not in expected), "")


def _check_weights_file(profile: TrainingProfile, weights: Path | str | None) -> None:
    """Refuse a file that the profile does not take; what is in it is seen when it is read."""
    if weights is None:
        return
    if profile.initialisation == "scratch":
        raise InputError(
            f"profile {profile.name!r} starts from scratch: leave the weights file out, or choose "
            "a profile that starts from weights"
        )
    weights_file_digest(weights)


def _in_memory(name: str, state: StateDict) -> StartingWeights:
    return StartingWeights(name, weights_digest(state), lambda: state)


# ---------------------------------------------------------------------------------- one fold


@dataclass(frozen=True, eq=False)
class FoldTask:
    """All a fold needs to know; plain data, so it can be sent to another machine.

    The fingerprint changes with anything the result depends on, ``told`` stands in the result as it is,
    and ``leaked_labels`` are those of the test clips, only with a leak; None otherwise.
    """

    fold: Fold
    train_labels: NDArray[np.int64]
    seed: int
    fingerprint: str
    told: Mapping[str, str]
    leaked_labels: NDArray[np.int64] | None = None


def run_fold(inputs: NDArray[Any], learner: Learner, task: FoldTask) -> dict[str, Any]:
    """Train on the fold's training clips and predict its test clips; values are ready for JSON."""
    began = time.perf_counter()
    fold, tested = task.fold, inputs[task.fold.test]
    if task.leaked_labels is None:
        learner.fit(inputs[fold.train], task.train_labels, task.seed)
        predictions, leaked = learner.predict(tested), {}
    else:
        best = _BestEpoch(learner, tested, task.leaked_labels)
        watched: Any = learner
        watched.fit(inputs[fold.train], task.train_labels, task.seed, after_epoch=best)
        predictions, leaked = best.predictions, {"leak": LEAKS[0], "epoch": best.epoch}
    return {
        "fold": fold.name,
        "fingerprint": task.fingerprint,
        **task.told,
        "seed": task.seed,
        "leak": None,
        **learner.record,
        **leaked,
        "predictions": [int(code) for code in predictions],
        "weights_digest": learner.digest,
        "seconds": round(time.perf_counter() - began, 3),
    }


class _BestEpoch:
    """The leak: keeps the epoch that does best on the *test* clips. Never used by default."""

    def __init__(
        self, learner: Learner, tested: NDArray[Any], leaked_labels: NDArray[np.int64]
    ) -> None:
        self.learner, self.tested, self.leaked_labels = learner, tested, leaked_labels
        self.epoch = 0
        self.accuracy = -1.0
        self.predictions: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def __call__(self, epoch: int) -> None:
        predictions = self.learner.predict(self.tested)
        accuracy = float(np.mean(predictions == self.leaked_labels))
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
    method
        Name of the system.
    profile
        Its settings: a training profile, or the name of one.
    seed
        Seed of the run.
    start
        Which starting weights.
    leak
        None, or the error that was switched on; then the scores are worthless on purpose.
    complete
        False if a time limit stopped the run before all folds were done.
    folder
        Where the fold files are.
    data
        Which data, in words, and whether they are real.
    """

    predictions: pd.DataFrame
    folds: pd.DataFrame
    method: str
    profile: TrainingProfile | str
    seed: int
    start: str
    leak: str | None
    complete: bool
    folder: Path
    data: str = ""

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
        """Return all scores, a row for each value of a column; see ``memaa_lib.metrics.scores``."""
        return metrics.scores(self.predictions, by)


def evaluate(
    features: NDArray[Any],
    index: pd.DataFrame,
    folds: Sequence[Fold],
    system: System,
    *,
    out: Path | str | None = None,
    n_jobs: int = 2,
    cluster: str | None = None,
    time_limit: float | None = None,
) -> Results:
    """Train and test a system on every fold.

    Parameters
    ----------
    features
        One row a clip, as ``system.features`` makes them.
    index
        One row a clip, in the same order.
    folds
        From ``leave_one_subject_out``, ``grouped_k_fold`` or ``cross_dataset``.
    system
        For example ``Memaa("paper")``; see :data:`SYSTEMS`.
    out
        Folder of the fold files; None takes the cache. Finished folds found there are kept.
    n_jobs
        Processes on this machine, one thread each; quick folds (``system.quick``) stay in this one as long
        as starting processes would take longer. Results do not depend on it.
    cluster
        ``"tcp://host:port"`` of a Dask scheduler, or ``"slurm"`` to start workers through
        dask-jobqueue as its configuration file says; None runs here.
    time_limit
        Seconds after which no new fold is begun.

    Returns
    -------
    Results

    Raises
    ------
    InputError
        If the inputs do not fit together.
    """
    _check_running(n_jobs, out, cluster, time_limit)
    tasks = plan_tasks(features, index, folds, system)
    folder = cache_root() / "folds" if out is None else Path(out)
    files = {task.fold.name: result_path(folder, task) for task in tasks}
    kept = {task.fold.name: _read_result(files[task.fold.name], task) for task in tasks}
    done = {name: result for name, result in kept.items() if result}
    missing = [task for task in tasks if task.fold.name not in done]
    if missing:
        shared = system.learner(features)  # reads weights, and torch with them
        gpu = system.device != "cpu"
        with progress(f"folds of {system.name}", len(tasks)) as advance:
            advance(len(done))
            results = run_tasks(
                run_fold, shared, missing, n_jobs,
                cluster=cluster, time_limit=time_limit, gpu=gpu, quick=system.quick,
            )  # fmt: skip
            for number, result in enumerate(results):
                if number == 0 and cluster is None:
                    _say_how_long(result, len(missing), 1 if gpu else n_jobs)
                done[result["fold"]] = result
                _write_result(files[result["fold"]], result)
                advance()
    return _collect(index, tasks, done, system, folder)


def _check_running(
    n_jobs: int, out: Path | str | None, cluster: str | None, time_limit: float | None
) -> None:
    """Refuse what a run would stumble over only when its first fold is done."""
    check_count("n_jobs", n_jobs)
    if time_limit is not None and not time_limit > 0:
        raise InputError(f"the time limit is {time_limit} s: expected more than 0")
    if cluster is not None:
        check_cluster(cluster)
    if out is not None:
        check_folder(out)


def _say_how_long(first: Mapping[str, Any], n_folds: int, n_processes: int) -> None:
    """Log how long the folds that are left will take, if it is long."""
    left = (n_folds - 1) * first["seconds"] / min(n_processes, n_folds)
    if left > _WORTH_SAYING:
        logger.info(
            "the first of %d folds took %.0f s: about %.0f min left",
            n_folds, first["seconds"], np.ceil(left / 60),
        )  # fmt: skip


def data_in_words(index: pd.DataFrame) -> str:
    """Say which data an index lists and whether they are real; nothing if it does not know."""
    if "is_twin" not in index:
        return ""
    from memaa_lib.datasets.examples import describe

    if index["is_twin"].all():
        return describe(index)  # says it itself
    mixed = index["is_twin"].any()
    return f"{describe(index)} ({'real and synthetic MIXED' if mixed else 'real'})"


def plan_tasks(
    features: NDArray[Any], index: pd.DataFrame, folds: Sequence[Fold], system: System
) -> list[FoldTask]:
    """Write out each fold that :func:`evaluate` would run, with its seed and fingerprint."""
    check_folds(index, folds)
    if len(features) != len(index):
        raise InputError(f"features of {features.shape}; expected one row for {len(index)} clips")
    labels = metrics.class_codes(index["label"].to_numpy(), "index, column label")
    digests = [fingerprint(clip) for clip in features]
    told = {"method": system.name, "profile": getattr(system.profile, "name", system.profile)}
    told["data"] = data_in_words(index)
    tasks = []
    for fold in folds:
        # Of the fold's name, so that it depends neither on other folds nor on their order.
        seed = int(fingerprint(system.seed, fold.name)[:8], 16)
        leaked = labels[fold.test] if system.leak else None
        # Labels of test clips stay out of it, as they stay out of the fold.
        parts = (
            [(digests[i], int(labels[i])) for i in fold.train],
            [(digests[i], int(labels[i]) if system.leak else None) for i in fold.test],
        )
        key = fingerprint(VERSION, system.key(), seed, parts)
        tasks.append(FoldTask(fold, labels[fold.train], seed, key, told, leaked))
    return tasks


def result_path(folder: Path, task: FoldTask) -> Path:
    """Name the file of a fold."""
    readable = "".join(letter if letter.isalnum() else "-" for letter in task.fold.name)
    return folder / f"{readable}-{task.fingerprint}.json"


def _write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Keep a fold's result."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _read_result(path: Path, task: FoldTask) -> dict[str, Any] | None:
    """Return a kept result of exactly this fold, or None."""
    # Not cache.kept: results lie in a folder that the user may name, and each is kept when it comes.
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
    tasks: Sequence[FoldTask],
    done: Mapping[str, dict[str, Any]],
    system: System,
    folder: Path,
) -> Results:
    """Put the folds together, in the order of the index."""
    finished = [task.fold for task in tasks if task.fold.name in done]
    if not finished:
        raise InputError("the time limit left no fold finished: allow more time")
    parts, rows = [], []
    for fold in finished:
        result = done[fold.name]
        part = index[list(REQUIRED_COLUMNS)].iloc[fold.test]
        names = np.array(CLASSES, dtype=object)[result["predictions"]]
        parts.append(part.assign(prediction=names, fold=fold.name))
        rows.append({key: result[key] for key in result if key not in ("predictions", "losses")})
    order = np.argsort(np.concatenate([fold.test for fold in finished]))
    return Results(
        predictions=metrics.check_predictions(pd.concat(parts).iloc[order]),
        folds=pd.DataFrame(rows),
        method=system.name,
        profile=system.profile,
        seed=system.seed,
        start=system.start,
        leak=system.leak,
        complete=len(done) == len(tasks),
        folder=folder,
        data=data_in_words(index),
    )


def train(
    dataset: str,
    method: str = DEFAULT_METHOD,
    protocol: str = "loso",
    profile: str | TrainingProfile = "laptop",
    *,
    root: Roots = None,
    allow_mixed: bool = False,
    k: int = 5,
    seed: int = 0,
    n_jobs: int = 2,
    out: Path | str | None = None,
    cluster: str | None = None,
    time_limit: float | None = None,
    **options: Any,
) -> Results:
    """Load a data set, make a system's features, and train and test it on every fold.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"`` or ``"composite"``.
    method
        ``"memaa"``, the paper's, or one of :data:`memaa_lib.baselines.SYSTEMS`. The default learns on
        photographed faces, too: :mod:`memaa_lib.baselines.motion_avatar`.
    protocol
        ``"loso"``; ``"composite"``, leave one subject out on all three sets; ``"kfold"``; or
        ``"cross"``, train on ``dataset`` and test on the two others.
    profile
        Training settings or their name. Compared systems have ``"laptop"``, and ``"paper"`` for the
        settings that were published.
    root, allow_mixed
        See :func:`memaa_lib.datasets.load_index`; None takes the configured folder, else the twin.
    k
        Number of folds of ``"kfold"``.
    seed
        Seed of the run.
    n_jobs
        Processes.
    out, cluster, time_limit
        See :func:`evaluate`; features are made on the cluster, too.
    **options
        Of the system: for the paper's method ``weights``, ``device``, ``leak`` and
        ``avatar_settings``, see :class:`Memaa`; for compared ones ``apex_rule``.

    Returns
    -------
    Results
    """
    # all that can be wrong is found before anything is made, which may take an hour
    _check_running(n_jobs, out, cluster, time_limit)
    members = members_of(dataset, protocol)
    check_seed(seed)
    subjects = sum(load_manifest(member).counts.subjects for member in members)
    if protocol == "kfold" and (type(k) is not int or not 2 <= k <= subjects):
        raise InputError(f"k is {k!r}: expected 2 to {subjects}, the number of subjects")
    system = system_named(method)(profile, seed=seed, n_jobs=n_jobs, **options)
    check_device(system.device, here=cluster is None)
    initialisation = getattr(system.profile, "initialisation", None)
    if options.get("weights") or initialisation == "imagenet":
        system.key()  # whether they fit, or can be had
    if len(members) > 1:
        check_mixture(root, allow_mixed)
    if root is None:
        for member in members:
            released_root(member)
    index = load_members(dataset, protocol, root, allow_mixed=allow_mixed)
    folds = make_folds(index, protocol, train=dataset, k=k, seed=seed)
    system.key()  # starting weights are made
    return evaluate(
        system.features(index, n_jobs, cluster), index, folds, system,
        out=out, n_jobs=n_jobs, cluster=cluster, time_limit=time_limit,
    )  # fmt: skip
