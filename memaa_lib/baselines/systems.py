"""All compared systems by name, and their features kept on disk."""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib._support.cache import VERSION, fingerprint, kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import in_parallel, one_opencv_thread, progress
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import ApexRule, FaceClip
from memaa_lib.datasets.layout import clip_fingerprint
from memaa_lib.paper import table


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
SYSTEM_PROFILES = ("paper", "laptop")


def system_named(name: str) -> System:
    """Return a system by its name.

    Parameters
    ----------
    name
        A key of :data:`SYSTEMS`.

    Returns
    -------
    System

    Raises
    ------
    InputError
        If there is no such system.

    Examples
    --------
    >>> system_named("resnet")
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: resnet: no such method; there are lbp_top, bi_woof, ...
    """
    if name not in SYSTEMS:
        raise InputError(f"{name}: no such method; there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def make_features(
    index: pd.DataFrame,
    methods: Sequence[str],
    *,
    apex_rule: ApexRule = "middle",
    n_jobs: int = 2,
) -> dict[str, NDArray[np.float32]]:
    """Make the features of all clips for some systems, reading each clip once; they are kept.

    Parameters
    ----------
    index
        One row a clip, from :func:`memaa_lib.datasets.load_index`.
    methods
        Names of systems.
    apex_rule
        See :class:`memaa_lib.baselines.FaceClip`.
    n_jobs
        Processes. The result does not depend on it.

    Returns
    -------
    dict
        Method to ``float32`` ``(N, D)``, clips in the order of the index.

    Raises
    ------
    InputError
        If the index is empty, a method unknown, or a clip cannot be used.

    Examples
    --------
    >>> make_features(load_index("smic"), ["bi_woof"])["bi_woof"].shape  # doctest: +SKIP
    (164, 200)
    """
    if not len(index):
        raise InputError("the index holds no clip; choose a data set and protocol that do")
    shared = {method: system_named(method).shares for method in methods}
    wanted = {system_named(method).shares: method for method in methods}
    rows = index.to_dict("records")
    calls = ((row, tuple(wanted.values()), apex_rule) for row in rows)
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in wanted}
    with progress("features", len(rows)) as advance:
        for result in in_parallel(_kept_features, calls, n_jobs):
            for name, features in result.items():
                found[name].append(features)
            advance()
    stacked = {name: np.stack(parts) for name, parts in found.items()}
    return {method: stacked[name] for method, name in shared.items()}


def _kept_features(
    row: Mapping[str, Any], methods: tuple[str, ...], apex_rule: ApexRule
) -> dict[str, NDArray[np.float32]]:
    """Features of one clip, from the cache where they are there."""
    clip, result = FaceClip(row, apex_rule=apex_rule), {}
    key = fingerprint(VERSION, clip_fingerprint(row), clip.size, apex_rule)
    for method in methods:
        system = SYSTEMS[method]

        def make(system: System = system) -> tuple[NDArray[np.float32]]:
            return (system.features(clip),)

        result[system.shares] = kept_arrays(f"features/{system.shares}/{key}.npz", make)[0]
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

    Examples
    --------
    >>> cost_per_clip(load_index("smic").head(12), ["bi_woof"])  # doctest: +SKIP
    """
    table = {}
    for method in methods:
        with one_opencv_thread():
            table[method] = _cost(system_named(method), index.to_dict("records"))
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("method")


def _cost(system: System, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Measure one system."""
    system.features(FaceClip(rows[0]))  # compile and load once
    spent = []
    for row in rows:
        clip, began = FaceClip(row), time.process_time()
        system.features(clip)
        spent.append(1e3 * (time.process_time() - began))
    read = "all" if "faces" in clip.__dict__ else "two"
    return {"ms": float(np.median(spent)), "frames": read}
