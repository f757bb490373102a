"""All compared systems by name, and their features kept on disk."""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib import protocol
from memaa_lib._support.cache import VERSION, fingerprint, kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import all_kept_or_made, one_opencv_thread
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import ApexRule, FaceClip
from memaa_lib.datasets import ClipRow, rows_of
from memaa_lib.datasets.layout import clip_fingerprint
from memaa_lib.paper import table
from memaa_lib.profiles import PAPERS_METHOD
from memaa_lib.protocol import Learner


def _collect() -> Mapping[str, System]:
    """Every module of this package brings its ``SYSTEMS``; those of Table 3 come first."""
    rows = {title: place for place, title in enumerate(table(3).index)}
    names = [found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = [import_module(f"memaa_lib.baselines.{name}") for name in names if name != "systems"]
    systems = [system for module in modules for system in getattr(module, "SYSTEMS", ())]
    systems.sort(key=lambda system: (rows.get(system.title, len(rows)), system.title))
    return MappingProxyType({system.name: system for system in systems})


SYSTEMS = _collect()
"""The compared systems by name, those of Table 3 first.

:meta hide-value:
"""


class ComparedSystem:
    """A compared system with its settings, as :class:`memaa_lib.protocol.System` asks.

    Parameters
    ----------
    system
        A value of :data:`SYSTEMS`.
    profile
        ``"laptop"``, or ``"paper"`` for the published flow and training settings.
    seed
        Seed of the run.
    n_jobs
        Not used: nothing is made beforehand.
    apex_rule
        What stands for an apex that nobody annotated (SMIC): ``"middle"`` or ``"searched"``.
    """

    start, device, quick = "scratch", "cpu", False
    leak: str | None = None

    def __init__(
        self,
        system: System,
        profile: str = "laptop",
        *,
        seed: int = 0,
        n_jobs: int = 2,
        apex_rule: ApexRule = "middle",
    ) -> None:
        if profile not in system.profiles:
            raise InputError(
                f"unknown profile {profile!r}: {system.name} has {' and '.join(system.profiles)}; "
                f"choose of these, or the paper's method, {PAPERS_METHOD}"
            )
        self.system, self.profile, self.seed, self.apex_rule = system, profile, seed, apex_rule
        self.name = system.name

    def features(
        self, index: pd.DataFrame, n_jobs: int, cluster: str | None = None
    ) -> NDArray[np.float32]:
        """Return the features of all clips."""
        options: Any = {"apex_rule": self.apex_rule, "n_jobs": n_jobs, "cluster": cluster}
        return make_features(index, [self.name], self.profile, **options)[self.name]

    def key(self) -> Any:
        """Return all that results depend on besides features, labels and seed."""
        return self.name, self.profile

    def learner(self, features: NDArray[Any]) -> tuple[NDArray[Any], Learner]:
        """Return the features as they are, and what learns from them."""
        return features, self.system.learner(self.profile)


protocol.SYSTEMS.update((name, partial(ComparedSystem, system)) for name, system in SYSTEMS.items())


def _named(method: str) -> System:
    """Return a compared system by its name."""
    if method not in SYSTEMS:
        raise InputError(f"{method}: no compared system; there are {', '.join(SYSTEMS)}")
    return SYSTEMS[method]


def make_features(
    index: pd.DataFrame,
    methods: Sequence[str],
    profile: str = "laptop",
    *,
    apex_rule: ApexRule = "middle",
    n_jobs: int = 2,
    cluster: str | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Make the features of all clips for some systems, reading each clip once; they are kept.

    Parameters
    ----------
    index
        One row a clip, from :func:`memaa_lib.datasets.load_index`.
    methods
        Names of systems.
    profile
        ``"laptop"``, or ``"paper"`` for the features as published.
    apex_rule
        See :class:`memaa_lib.baselines.FaceClip`.
    n_jobs, cluster
        Processes, or a Dask scheduler, see :func:`memaa_lib.avatar.make_avatars`. The result does
        not depend on them.

    Returns
    -------
    dict
        Method to ``float32`` ``(N, D)``, clips in the order of the index.

    Raises
    ------
    InputError
        If the index is empty, a method unknown, or a clip cannot be used.
    """
    if not len(index):
        raise InputError("the index holds no clip; choose a data set and protocol that do")
    shared = {method: _named(method).shares(profile) for method in methods}
    wanted = {name: method for method, name in shared.items()}
    calls = [(row, tuple(wanted.values()), profile, apex_rule) for row in rows_of(index)]
    found = all_kept_or_made("features", _kept_features, calls, n_jobs, cluster=cluster)
    stacked = {name: np.stack([features[name] for features in found]) for name in wanted}
    return {method: stacked[name] for method, name in shared.items()}


def _kept_features(
    row: ClipRow, methods: tuple[str, ...], profile: str, apex_rule: ApexRule
) -> dict[str, NDArray[np.float32]]:
    """Features of one clip, from the cache where they are there."""
    clip, result = FaceClip(row, apex_rule=apex_rule), {}
    key = fingerprint(VERSION, clip_fingerprint(row), clip.size, apex_rule)
    for method in methods:
        name, features = SYSTEMS[method].shares(profile), SYSTEMS[method].features_of(profile)

        def make(features: Any = features) -> tuple[NDArray[np.float32]]:
            return (features(clip),)

        result[name] = kept_arrays(f"features/{name}/{key}.npz", make)[0]
    return result


def cost_per_clip(index: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Measure what the features of a clip cost, reading its frames included.

    Parameters
    ----------
    index
        Clips to measure; a dozen will do.
    methods
        Names of systems.

    Returns
    -------
    pandas.DataFrame
        Index ``method``; ``ms``, median processor time a clip on one core, and ``frames``, whether
        the system reads two frames or all.
    """
    table = {}
    for method in methods:
        with one_opencv_thread():
            table[method] = _cost(_named(method), rows_of(index))
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("method")


def _cost(system: System, rows: Sequence[ClipRow]) -> dict[str, Any]:
    """Measure one system."""
    system.features(FaceClip(rows[0]))  # compile and load once
    spent = []
    for row in rows:
        clip, began = FaceClip(row), time.process_time()
        system.features(clip)
        spent.append(1e3 * (time.process_time() - began))
    read = "all" if "faces" in clip.__dict__ else "two"
    return {"ms": float(np.median(spent)), "frames": read}
