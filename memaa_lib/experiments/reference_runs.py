"""Reference runs: results that were computed once and are kept with the source, with provenance.

A page must not take an hour. What takes long is run once by ``memaa reference`` and written to
``results/`` as a small text file: every prediction, the settings, the data and a digest. Tables and
figures are made from the predictions, so that anything else can be worked out from them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import memaa_lib
from memaa_lib import metrics
from memaa_lib._support.cache import atomic_path, check_file, fingerprint
from memaa_lib._support.errors import InputError, check_count, check_seed
from memaa_lib._support.machine import ROOT
from memaa_lib.datasets.examples import describe
from memaa_lib.datasets.index import check_mixture
from memaa_lib.experiments import pretraining
from memaa_lib.paper import CLASSES
from memaa_lib.profiles import profile_named
from memaa_lib.protocol import LEAKS, Results, data_in_words, load_members, members_of, train

KEYS = ["dataset", "subject", "clip"]
AS_TRAINED = "as trained"
LEAKING = "epoch chosen on the test subjects"
STARTS = 5  # starting weights, made with seeds 0 to 4
Runs = Mapping[str, Results | pd.DataFrame]  # of a run, or of its predictions alone
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference run.

    Parameters
    ----------
    provenance
        What was run on which data, with which version.
    runs
        Name to predictions, see :mod:`memaa_lib.metrics`.
    tables
        Further tables, e.g. of cost.
    """

    provenance: Mapping[str, Any]
    runs: Mapping[str, pd.DataFrame]
    tables: Mapping[str, pd.DataFrame]


def results_folder() -> Path:
    """Return the folder of the reference runs, beside the package."""
    return ROOT / "results"


def keep(
    path: Path | str,
    experiment: Callable[..., tuple[Runs, Tables]],
    dataset: str,
    protocol: str = "loso",
    profile: str = "laptop",
    *,
    seed: int = 0,
    n_jobs: int = 2,
    **where: Any,
) -> str:
    """Make an experiment and keep it as a reference run; return in words on which data.

    Parameters
    ----------
    path
        ``.json`` file; it appears whole or not at all.
    experiment
        Called with data set, protocol, profile, ``seed``, ``n_jobs`` and ``where``, for example
        :func:`leak`; returns runs by name, the first of which stands for all, and further tables.
    dataset, protocol, profile, seed, n_jobs
        See :func:`memaa_lib.protocol.train`.
    **where
        ``root`` and ``allow_mixed``, see :func:`memaa_lib.datasets.load_index`.
    """
    members = members_of(dataset, protocol)
    profile_named(profile)
    check_file(path)
    check_seed(seed)
    check_count("n_jobs", n_jobs)
    if len(members) > 1:
        check_mixture(where.get("root"), where.get("allow_mixed", False))
    # an experiment refuses what it cannot do before it reads or makes anything
    runs, tables = experiment(dataset, protocol, profile, seed=seed, n_jobs=n_jobs, **where)
    index = load_members(dataset, protocol, **where)
    given = {"dataset": dataset, "protocol": protocol, "profile": profile, "seed": seed}
    first: Any = next(iter(runs.values()))
    told = {"data": describe(index), **given, "start": first.start, "folds": len(first.folds)}
    write_reference(path, runs, told, tables)
    return data_in_words(index)


def write_reference(
    path: Path | str,
    runs: Runs,
    provenance: Mapping[str, Any],
    tables: Tables | None = None,
) -> None:
    """Write a reference run.

    Parameters
    ----------
    path
        ``.json`` file; it appears whole or not at all.
    runs
        Name to results (or to predictions alone), all on the same clips.
    provenance
        What was run: data, protocol, profile, seed. The version of the library is added.
    tables
        Further tables of numbers and text.

    Raises
    ------
    InputError
        If there is no run, one was stopped, or they are of different clips.
    """
    if not runs:
        raise InputError("no run to keep; give at least one")
    for name, run in runs.items():
        if isinstance(run, Results) and not run.complete:
            raise InputError(f"{name}: not all folds are done; run it to its end")
    tested = {name: _predictions(run) for name, run in runs.items()}
    clips = next(iter(tested.values()))[[*KEYS, "label"]]
    if any(not table[[*KEYS, "label"]].equals(clips) for table in tested.values()):
        raise InputError("the runs are of different clips; keep them in files of their own")
    content = {
        "note": "made by 'memaa reference'; do not edit",
        "provenance": {**provenance, "memaa": memaa_lib.__version__},
        "clips": ["/".join(row) for row in clips[KEYS].itertuples(index=False)],
        "labels": _digits(clips["label"]),
        "runs": {
            name: {"digest": _digest(run), "predictions": _digits(tested[name]["prediction"])}
            for name, run in runs.items()
        },
        "tables": {name: _plain(table) for name, table in (tables or {}).items()},
    }
    content["digest"] = fingerprint(content["clips"], content["labels"], content["runs"])
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_reference(name: Path | str) -> Reference:
    """Read a reference run.

    Parameters
    ----------
    name
        A file, or the name of one in ``results/`` without its suffix, e.g. ``"arms/smic"``.

    Returns
    -------
    Reference

    Raises
    ------
    InputError
        If there is no such file, or it was changed by hand.
    """
    path = Path(name) if Path(name).suffix == ".json" else results_folder() / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"{path}: no such reference run; make it with memaa reference") from None
    except ValueError:
        raise InputError(f"{path}: damaged; make it again with memaa reference") from None
    if not isinstance(content, dict) or not {"clips", "labels", "runs", "digest"} <= set(content):
        raise InputError(f"{path}: no reference run of predictions; make one with memaa reference")
    expected = fingerprint(content["clips"], content["labels"], content["runs"])
    if content["digest"] != expected:
        raise InputError(f"{path}: changed since it was made; make it again with memaa reference")
    clips = pd.DataFrame([text.split("/") for text in content["clips"]], columns=KEYS)
    clips["label"] = _names(content["labels"])
    runs = {
        run: metrics.check_predictions(clips.assign(prediction=_names(part["predictions"])))
        for run, part in content["runs"].items()
    }
    tables = {key: pd.DataFrame(rows) for key, rows in content["tables"].items()}
    return Reference({**content["provenance"], "digest": content["digest"]}, runs, tables)


def leak(
    dataset: str, protocol: str, profile: str, *, seed: int, n_jobs: int, **where: Any
) -> tuple[Runs, Tables]:
    """Run the method as it is, and with the epoch chosen on the test subjects (not across sets)."""
    common: dict[str, Any] = {"seed": seed, "n_jobs": n_jobs, **where}
    runs = {AS_TRAINED: train(dataset, "memaa", protocol, profile, **common)}
    if protocol != "cross":
        runs[LEAKING] = train(dataset, "memaa", protocol, profile, leak=LEAKS[0], **common)
    return runs, {}


def starts(
    dataset: str, protocol: str, profile: str, *, seed: int, n_jobs: int, **where: Any
) -> tuple[Runs, Tables]:
    """Run the method from starting weights of several seeds.

    The runs differ in the seed of the pre-training alone: its people, clips, first weights and
    order. The spread of their scores is what an interval over subjects cannot show.
    """
    if protocol == "cross":
        raise InputError("protocol 'cross' has six runs a start; choose loso, kfold or composite")
    runs = {}
    for number in range(STARTS):
        weights = pretraining.weights_from_seed(profile_named(profile), number, n_jobs=n_jobs)
        runs[f"seed {number}"] = train(
            dataset, "memaa", protocol, profile, weights=weights, seed=seed, n_jobs=n_jobs, **where
        )
    return runs, {}


def _predictions(run: Results | pd.DataFrame) -> pd.DataFrame:
    return metrics.check_predictions(run if isinstance(run, pd.DataFrame) else run.predictions)


def _digest(run: Results | pd.DataFrame) -> str:
    if isinstance(run, Results):
        return run.digest
    return fingerprint(metrics.check_predictions(run).to_csv(index=False))


def _digits(labels: pd.Series) -> str:
    """Write classes as one text of codes, 0 to 2."""
    return "".join(str(code) for code in metrics.class_codes(labels.to_numpy()))


def _names(digits: str) -> list[str]:
    return [CLASSES[int(digit)] for digit in digits]


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values, numbers to six digits."""
    return [
        {
            str(key): float(f"{value:.6g}") if isinstance(value, (float, np.floating)) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]
