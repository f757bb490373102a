"""Table 3 again: the paper's method and the systems it compares itself with, on the same folds.

Three things stand side by side: scores of our own runs, what the paper prints, and what the systems'
own group prints. The last two are of the real data sets; ours are of whatever data is at hand.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from memaa_lib import metrics, paper
from memaa_lib._support.errors import InputError
from memaa_lib.avatar import clip_to_avatar
from memaa_lib.baselines import SYSTEMS, cost_per_clip, make_features
from memaa_lib.baselines.evm_lbp_top import ALPHAS, cross_validated, of_alpha
from memaa_lib.baselines.flow import flow_errors
from memaa_lib.datasets import load_clip, rows_of
from memaa_lib.experiments.audit import published_scores
from memaa_lib.experiments.probes import probe_features, probe_predictions
from memaa_lib.experiments.reference_runs import Runs, Tables
from memaa_lib.protocol import (
    Results,
    load_members,
    make_folds,
    subject_keys,
    system_named,
    train,
)

OURS = "motion-magnified avatar"
PROBE = "flow probe"
REMARKS: Mapping[tuple[str, str], str] = {
    ("LBP-TOP", "smic"): "no confusion matrix of SMIC has this UAR and this UF1",
    ("Bi-WOOF", "smic"): "neither its own publication nor the challenge's protocol gives it",
    ("Bi-WOOF", "casme2"): "neither its own publication nor the challenge's protocol gives it",
    ("Bi-WOOF", "samm"): "0.124 below the figure under the challenge's protocol",
    ("OFF-ApexNet", "composite"): "an F-measure of another run; its UF1 is 0.7196",
    ("OFF-ApexNet", "casme2"): "published as 0.8764",
    ("Our Approach", "composite"): "not the sum of Tables 4 to 6, which gives 0.7785",
    ("Our Approach", "smic"): "UF1 and UAR are swapped, see Table 4",
}
"""What is wrong with figures that the paper prints, see :mod:`memaa_lib.experiments.audit`.

:meta hide-value:
"""

PUBLISHED = ("bi_woof", "ststnet")  # OFF-ApexNet's 3,000 epochs take hours without a GPU

MAGNIFIED = ("evm_lbp_top", "lagrangian_lbp_top")

_PARTS = ("composite", *paper.DATASETS)
_CLIPS_TIMED = 12
_PAIRS_HELD_AGAINST_TRUTH = 4  # a data set


def run_systems(
    dataset: str = "composite",
    protocol: str = "kfold",
    profile: str = "laptop",
    *,
    seed: int = 0,
    n_jobs: int = 2,
    **where: Any,
) -> dict[str, Results]:
    """Run the paper's method and every compared system on the same clips and folds.

    Parameters
    ----------
    dataset, protocol, profile, seed, n_jobs
        As in :func:`memaa_lib.protocol.train`.
    **where
        ``root`` and ``allow_mixed``, see :func:`memaa_lib.datasets.load_index`.

    Returns
    -------
    dict
        Title to results.
    """
    titles = {"memaa": OURS, **{name: system.title for name, system in SYSTEMS.items()}}
    for name in titles:
        system_named(name)(profile)  # not every one has every profile: refused before the work
    index = load_members(dataset, protocol, **where)
    make_features(index, list(SYSTEMS), n_jobs=n_jobs)  # each clip is read once for all of them
    return {
        title: train(dataset, name, protocol, profile, seed=seed, n_jobs=n_jobs, **where)
        for name, title in titles.items()
    }


def systems(
    dataset: str, protocol: str, profile: str, *, seed: int, n_jobs: int, **where: Any
) -> tuple[Runs, Tables]:
    """Run everything of :func:`run_systems`, and measure what the features cost.

    On twins the flow estimators are held against the true flow, and the probe of
    :mod:`memaa_lib.experiments.probes` is run on the same folds, too.
    """
    runs: dict[str, Results | pd.DataFrame] = dict(
        run_systems(dataset, protocol, profile, seed=seed, n_jobs=n_jobs, **where)
    )
    index = load_members(dataset, protocol, **where)
    members = {name: part for name, part in index.groupby("dataset", sort=False)}
    costs = []
    for name, part in members.items():
        timed = part.iloc[:: max(1, len(part) // _CLIPS_TIMED)]
        compared = cost_per_clip(timed, list(SYSTEMS)).reset_index()
        costs.append(pd.concat([avatar_cost(timed), compared]).assign(dataset=name))
    tables = {"cost": pd.concat(costs), "alpha": alpha_curve(index, n_jobs)}
    if index["is_twin"].all():
        chosen = pd.concat(
            [part.iloc[:: len(part) // _PAIRS_HELD_AGAINST_TRUTH] for part in members.values()]
        )
        tables["flow"] = flow_errors(rows_of(chosen))
        folds = make_folds(index, protocol, train=dataset, seed=seed)
        runs[PROBE] = probe_predictions(probe_features(index)[1], index, folds)
    return runs, tables


def alpha_curve(index: pd.DataFrame, n_jobs: int = 2) -> pd.DataFrame:
    """Score LBP-TOP on magnified clips for every factor, leaving one subject or one video out.

    Parameters
    ----------
    index
        Clips of several subjects.
    n_jobs
        Processes. The result does not depend on it.

    Returns
    -------
    pandas.DataFrame
        One row a way of magnifying and a factor: ``method``, ``alpha``, and UF1 as ``subject`` and
        ``video`` is left out.
    """
    from sklearn.model_selection import LeaveOneGroupOut

    made = make_features(index, MAGNIFIED, n_jobs=n_jobs)
    labels = metrics.class_codes(index["label"])
    left_out = {"subject": subject_keys(index), "video": np.arange(len(index))}
    rows = []
    for method, alpha in product(MAGNIFIED, ALPHAS):
        features = of_alpha(made[method], alpha)
        scores = {
            name: cross_validated(features, labels, LeaveOneGroupOut(), groups)
            for name, groups in left_out.items()
        }
        rows.append({"method": method, "alpha": alpha, **scores})
    return pd.DataFrame(rows)


def published(
    dataset: str, protocol: str, profile: str, *, seed: int, n_jobs: int, **where: Any
) -> tuple[Runs, Tables]:
    """Run :data:`PUBLISHED`, of which the profile ``"paper"`` has flow and training as published."""
    if profile != "paper":
        raise InputError(f"profile {profile!r} is not as published; give 'paper'")
    return {
        SYSTEMS[name].title: train(
            dataset, name, protocol, profile, seed=seed, n_jobs=n_jobs, **where
        )
        for name in PUBLISHED
    }, {}


def avatar_cost(index: pd.DataFrame) -> pd.DataFrame:
    """Measure what the test avatar of a clip costs, as :func:`memaa_lib.baselines.cost_per_clip`.

    Parameters
    ----------
    index
        Clips to measure.

    Returns
    -------
    pandas.DataFrame
        One row, with ``method`` as a column.
    """
    rows = rows_of(index)
    clip_to_avatar(load_clip(rows[0]), paper.TEST_ALPHA)  # compile and load once
    spent = []
    for row in rows:
        began = time.process_time()
        clip_to_avatar(load_clip(row), paper.TEST_ALPHA)
        spent.append(1e3 * (time.process_time() - began))
    return pd.DataFrame(
        [("memaa", float(np.median(spent)), "all")], columns=["method", "ms", "frames"]
    )


def score_table(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return UF1 and UAR of every system, for all clips and for each data set.

    Parameters
    ----------
    runs
        Title to predictions.

    Returns
    -------
    pandas.DataFrame
        One row a system. ``low`` and ``high`` bound the 95 % interval of UF1 on all clips; then UF1
        and UAR of each part, with two column levels.

    Examples
    --------
    >>> rows = [("smic", f"s{i}", "c", i % 3, i % 3) for i in range(6)]
    >>> table = score_table({"good": pd.DataFrame(rows, columns=metrics.COLUMNS)})
    >>> float(table.loc["good", ("Combined", "UF1")])
    1.0
    """
    rows = {}
    for title, predictions in runs.items():
        table = metrics.check_predictions(predictions)
        interval = metrics.subject_bootstrap(table, "uf1")
        row = {("Combined", "UF1"): interval.value, ("Combined", "UAR"): _uar(table)}
        row |= {("Combined", "low"): interval.low, ("Combined", "high"): interval.high}
        for name in paper.DATASETS:
            part = table[table["dataset"] == name]
            if len(part):
                row[paper.DATASET_TITLES[name], "UF1"] = metrics.uf1(
                    part["label"], part["prediction"]
                )
                row[paper.DATASET_TITLES[name], "UAR"] = _uar(part)
        rows[title] = row
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return frame


def _uar(table: pd.DataFrame) -> float:
    return metrics.uar(table["label"], table["prediction"])


def printed_scores() -> pd.DataFrame:
    """Return UF1 as the paper prints it beside what the systems' own group prints, with remarks.

    Returns
    -------
    pandas.DataFrame
        One row a system and part: ``paper``, ``published``, ``source`` and ``remark``.

    Examples
    --------
    >>> printed_scores().loc[("LBP-TOP", "SMIC"), "remark"]
    'no confusion matrix of SMIC has this UAR and this UF1'
    """
    table, published = paper.table(3), published_scores()
    titles = list(dict.fromkeys([*table.index, *published.index.get_level_values("system")]))
    rows = {}
    for title in titles:
        for part in _PARTS:
            column = (paper.DATASET_TITLES[part], "UF1")
            known = published.loc[(title, part)] if (title, part) in published.index else None
            rows[title, paper.DATASET_TITLES[part]] = {
                "paper": table.loc[title, column] if title in table.index else float("nan"),
                "published": float("nan") if known is None else known["uf1"],
                "source": "" if known is None else known["source"],
                "remark": REMARKS.get((title, part), ""),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def network_sizes() -> pd.DataFrame:
    """Count the parameters of the compared networks, beside the numbers that are printed.

    Returns
    -------
    pandas.DataFrame
        One row a network: ``here``, and what its publication prints, ``printed``, or ``<NA>``.

    Examples
    --------
    >>> sizes = network_sizes().loc["Dual-Inception"]
    >>> int(sizes["here"]), int(sizes["printed"])
    (6449867, 6450000)
    """
    import torch  # which takes seconds

    from memaa_lib.baselines.networks import (
        dtscnn,
        dual_inception,
        elrcn,
        off_apexnet,
        rcn_a,
        sssnet,
        ststnet,
    )

    made: dict[str, tuple[Any, int | None]] = {
        "OFF-ApexNet": (off_apexnet.OffApexNet, off_apexnet.PUBLISHED_PARAMETERS),
        "STSTNet": (ststnet.STSTNet, ststnet.PUBLISHED_PARAMETERS),
        "Dual-Inception": (dual_inception.DualInception, dual_inception.PUBLISHED_PARAMETERS),
        "RCN-A": (rcn_a.RCNA, None),
        "SSSNet": (sssnet.SSSNet, None),
        "ELRCN-SE": (elrcn.SmallSE, None),
        "ELRCN-SE, as published": (elrcn.PublishedSE, None),
        "DTSCNN 64": (dtscnn.Small64, None),
        "DTSCNN 64, as published": (dtscnn.Published64, None),
    }
    rows = {}
    for title, (network, printed) in made.items():
        with torch.device("meta"):  # takes no memory
            here = sum(weights.numel() for weights in network().parameters())
        rows[title] = {"here": here, "printed": printed}
    return pd.DataFrame.from_dict(rows, orient="index").astype("Int64")
