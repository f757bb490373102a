"""What pages read from disk: avatars, starting weights, trained folds. All is made before they run.

A notebook names its needs in its front matter, e.g. ``memaa: {needs: [scores]}``, for which avatars and
pre-training are made, too. A need without a data set (``avatars``, ``scores``, ``arms``, ``systems``) is that
of the data set that the page runs on. Pages that show a twin's clips need the twin only (``twin-smic``):
who has the real set should not wait for avatars of rendered faces.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from memaa_book import pages
from memaa_book.pages import COMMON, Run
from memaa_lib._support.cache import fingerprint
from memaa_lib._support.errors import InputError
from memaa_lib.datasets.examples import ALLOWED
from memaa_lib.datasets.index import ALLOW_MIXED
from memaa_lib.datasets.roots import find_root
from memaa_lib.paper import DATASET_TITLES, DATASETS, TRAINING_ALPHAS

PRETRAINING = "pretraining"
TWIN = "twin"
OF_A_SET = ("avatars", "scores", "arms", "systems")
EVERY_SET = ("scores-composite", "cross", "arms-composite", "systems-composite")


def members(what: str) -> tuple[str, ...]:
    """Return the data sets behind a set's name, the composite's, or none."""
    return (what,) if what in DATASETS else tuple(DATASETS)


def real_sets(datasets: Sequence[str] = ()) -> list[str]:
    """List the data sets, all or some of them, of which the user has the real one."""
    return [
        name for name in DATASETS if name in (datasets or DATASETS) and not find_root(name).is_twin
    ]


def dataset_of(run: Run, datasets: Sequence[str] = ()) -> str:
    """Return the data set that a page runs on; empty where it takes none, or its own default.

    A page that stands in the book once, and takes a data set, runs on the reader's own: on the composite
    if all three sets are real, else on the first that is.
    """
    if run.dataset != COMMON:
        return run.dataset
    real = real_sets(datasets)
    if not real or "dataset" not in pages.known_parameters(run.source):
        return ""
    return "composite" if len(real) == len(DATASETS) else real[0]


def needs_of(run: Run, datasets: Sequence[str] = ()) -> list[str]:
    """Name what must be on disk before a page runs, so that it then runs in seconds.

    Examples
    --------
    >>> needs_of(Run("smic", pages.find_notebook("results").stem))
    ['avatars-smic', 'pretraining', 'scores-smic']
    """
    dataset = dataset_of(run, datasets)
    known = pages.known_parameters(run.source)
    needs: list[str] = []
    for need in pages.front_matter(run.source).get("needs", []):
        kind, _, what = need.partition("-")
        if need == "systems" and not dataset:
            continue  # read from the reference run
        if kind in OF_A_SET:
            what = what or dataset or str(known.get("dataset", "composite"))
        if kind == TWIN and what in DATASETS:
            needs.append(need)
            continue
        if kind not in (*OF_A_SET, "cross") or what not in ("", "composite", *DATASETS):
            raise InputError(
                f"{run.notebook}: its front matter needs {need!r}; there are cross, twin-smic and so on "
                f"and, alone or with a data set as in avatars-smic, {', '.join(OF_A_SET)}"
            )
        needs += [f"avatars-{name}" for name in members(what)]
        if kind != "avatars":
            needs += [PRETRAINING, f"{kind}-{what}" if what else kind]
    return list(dict.fromkeys(needs))


def why_left_out(needs: Sequence[str]) -> str:
    """Say why a page with these needs cannot run: it would mix real data with twins; empty if it can."""
    real = real_sets()
    if not set(needs) & set(EVERY_SET) or len(real) in (0, len(DATASETS)):
        return ""
    if os.environ.get(ALLOW_MIXED):
        return ""
    twins = [DATASET_TITLES[name] for name in DATASETS if name not in real]
    return (
        f"It needs all three data sets, and of {' and '.join(twins)} there is only the synthetic twin. "
        "`memaa book --allow-mixed` runs it on the mixture."
    )


def data_state(name: str) -> str:
    """Return what identifies the data behind a page or a need: where they are, who may be seen."""
    roots = {one: str(find_root(one).path) for one in members(name)}
    return fingerprint(roots, os.environ.get(ALLOWED, ""), os.environ.get(ALLOW_MIXED, ""))


def prepare(need: str, profile: str) -> None:
    """Make what a page needs, with a training profile where something is trained."""
    from memaa_lib import profiles
    from memaa_lib import protocol as protocols
    from memaa_lib.avatar import make_avatars
    from memaa_lib.datasets import load_index
    from memaa_lib.datasets.examples import describe
    from memaa_lib.datasets.twins.release import ensure_twin
    from memaa_lib.experiments import ablations, comparison

    kind, _, what = need.partition("-")
    if kind == PRETRAINING:
        protocols.starting_weights(profiles.profile_named(profile), n_jobs=1)
    elif kind == TWIN:
        ensure_twin(what)
    elif kind == "avatars":
        ensure_twin(what)  # which stands in where a real face may not be shown
        make_avatars(load_index(what), TRAINING_ALPHAS)  # among them the test's
    elif kind == "cross":
        for dataset in DATASETS:
            protocols.train(dataset, "memaa", "cross", profile, n_jobs=1)
    elif kind == "arms":
        data = describe(load_index(what))
        if not ablations.matching_reference(data, what, "loso", profile):  # else they are read
            for arm in ablations.QUICK:
                ablations.run_arm(arm, what, "loso", profile, n_jobs=1)
    elif kind == "systems":
        comparison.run_systems(what, "kfold", profile, n_jobs=1)
    else:
        protocols.train(what, "memaa", "loso", profile, n_jobs=1)
