"""The compared systems under one interface, and their features kept on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib.baselines import apex, bi_woof, flow_images, hog3d, lbp_top
from memaa_lib.baselines.classifiers import Classifier, LinearMachine, NetSettings, SmallNet
from memaa_lib.baselines.faces import ApexRule, FaceClip, clip_fingerprint
from memaa_lib.storage import (
    InputError,
    atomic_path,
    cache_root,
    fingerprint,
    in_parallel,
    progress,
    read_arrays,
)

CODE_VERSION = 2  # raise it when the same clip gives other features: kept ones are made again


@dataclass(frozen=True)
class System:
    """A compared system: features of a clip, and a classifier for them.

    Parameters
    ----------
    name
        As on the command line.
    title
        As in the paper's Table 3, where it is there.
    features
        From a clip to a vector.
    classifier
        From profile and seed to an untrained classifier. The profile ``"paper"`` takes the training
        settings that were published, ``"laptop"`` settings that two cores finish in minutes.
    source
        Where it is described.
    shares
        Systems with the same features share them on disk under this name.

    Examples
    --------
    >>> SYSTEMS["bi_woof"].title
    'Bi-WOOF'
    """

    name: str
    title: str
    features: Callable[[FaceClip], NDArray[np.float32]]
    classifier: Callable[[str, int], Classifier]
    source: str
    shares: str


def _machine(profile: str, seed: int) -> Classifier:
    return LinearMachine()


def _off_apexnet() -> Any:
    # The two networks are imported here because torch takes seconds to import.
    from memaa_lib.baselines.off_apexnet import OffApexNet

    return OffApexNet()


def _ststnet() -> Any:
    from memaa_lib.baselines.ststnet import STSTNet

    return STSTNet()


def _net(
    network: Callable[[], Any], settings: Mapping[str, NetSettings], profile: str, seed: int
) -> Classifier:
    return SmallNet(network, settings[profile], seed)


_OFF_APEXNET = {"paper": NetSettings(3000, 1e-4, 256), "laptop": NetSettings(60, 5e-4, 64)}
_STSTNET = {"paper": NetSettings(500, 5e-5, 256), "laptop": NetSettings(150, 2e-3, 64)}
SYSTEM_PROFILES = tuple(_STSTNET)

SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        system.name: system
        for system in (
            System(
                "lbp_top",
                "LBP-TOP",
                lbp_top.clip_features,
                _machine,
                "Zhao and Pietikainen 2007; MEGC 2019 baseline",
                "lbp_top",
            ),
            System(
                "bi_woof",
                "Bi-WOOF",
                bi_woof.clip_features,
                _machine,
                "Liong et al. 2018",
                "bi_woof",
            ),
            System(
                "off_apexnet",
                "OFF-ApexNet",
                flow_images.clip_features,
                partial(_net, _off_apexnet, _OFF_APEXNET),
                "Gan et al. 2019",
                "flow_images",
            ),
            System(
                "ststnet",
                "STSTNet",
                flow_images.clip_features,
                partial(_net, _ststnet, _STSTNET),
                "Liong et al. 2019",
                "flow_images",
            ),
            System(
                "hog3d",
                "3DHOG",
                hog3d.clip_features,
                _machine,
                "after Polikovsky et al. 2009",
                "hog3d",
            ),
            System(
                "apex",
                "single apex frame",
                apex.clip_features,
                _machine,
                "after Li, Huang and Zhao 2018",
                "apex",
            ),
        )
    }
)
"""The systems, those of Table 3 first.

:meta hide-value:
"""


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
    memaa_lib.storage.InputError: resnet: no such method; there are lbp_top, bi_woof, ...
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
    cache: Path | str | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Make the features of all clips for some systems, reading each clip once.

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
    cache
        Folder of the features of each clip; a stopped run resumes from it. Default: ``features`` in
        :func:`memaa_lib.storage.cache_root`.

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
    folder = Path(cache) if cache is not None else cache_root() / "features"
    rows = index.to_dict("records")
    calls = ((row, tuple(wanted.values()), apex_rule, folder) for row in rows)
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in wanted}
    with progress("features", len(rows)) as advance:
        for result in in_parallel(_kept_features, calls, n_jobs):
            for name, features in result.items():
                found[name].append(features)
            advance()
    stacked = {name: np.stack(parts) for name, parts in found.items()}
    return {method: stacked[name] for method, name in shared.items()}


def _kept_features(
    row: Mapping[str, Any], methods: tuple[str, ...], apex_rule: ApexRule, folder: Path
) -> dict[str, NDArray[np.float32]]:
    """Features of one clip, from the cache where they are there."""
    cv2.setNumThreads(1)
    clip, key, result = FaceClip(row, apex_rule=apex_rule), clip_fingerprint(row), {}
    for method in methods:
        system = SYSTEMS[method]
        name = fingerprint(CODE_VERSION, key, clip.size, apex_rule)
        file = folder / system.shares / f"{name}.npz"
        kept = read_arrays(file, ("features",))
        features = system.features(clip) if kept is None else kept["features"]
        if kept is None:
            with atomic_path(file) as temporary:
                np.savez(temporary, features=features)  # an archive knows when it is damaged
        result[system.shares] = features
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
    cv2.setNumThreads(1)
    table = {}
    for method in methods:
        system = system_named(method)
        system.features(FaceClip(index.iloc[0].to_dict()))  # compile and load once
        spent = []
        for row in index.to_dict("records"):
            clip, began = FaceClip(row), time.process_time()
            system.features(clip)
            spent.append(1e3 * (time.process_time() - began))
        read = "all" if "faces" in clip.__dict__ else "two"
        table[method] = {"ms": float(np.median(spent)), "frames": read}
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("method")
