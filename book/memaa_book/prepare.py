"""What pages read from disk: avatars, starting weights, trained folds. All is made before they run.

A notebook names its needs in its front matter, e.g. ``memaa: {needs: [avatars, pretraining, scores]}``.
``avatars`` and ``scores`` alone are those of the data set that the page runs on; ``avatars`` are those
of all three data sets where it runs on none, or on the composite.
"""

from __future__ import annotations

import os

from memaa_book import pages
from memaa_book.pages import Run
from memaa_lib._support.cache import fingerprint
from memaa_lib._support.errors import InputError
from memaa_lib.paper import DATASETS, TRAINING_ALPHAS

PRETRAINING = "pretraining"
# what is trained, and the data sets whose avatars it reads
SCORES = {
    **{dataset: (dataset,) for dataset in DATASETS},
    "composite": DATASETS,
    "cross": DATASETS,
    "arms": ("smic",),
}


def avatars_of(datasets: tuple[str, ...]) -> list[str]:
    """Name the avatars of some data sets."""
    return [f"avatars-{dataset}" for dataset in datasets]


def needs_of(run: Run) -> list[str]:
    """Name what must be on disk before a page runs, so that it then runs in seconds.

    Examples
    --------
    >>> needs_of(Run("smic", pages.find_notebook("results").stem))
    ['avatars-smic', 'pretraining', 'scores-smic']
    """
    known = [*avatars_of(DATASETS), PRETRAINING, *(f"scores-{name}" for name in SCORES)]
    needs: list[str] = []
    for need in pages.read_source(run.source).metadata.get("memaa", {}).get("needs", []):
        if need == "avatars":
            needs += avatars_of((run.dataset,) if run.dataset in DATASETS else DATASETS)
        else:
            needs.append(f"scores-{run.dataset}" if need == "scores" else need)
        if needs[-1] not in known:
            raise InputError(
                f"{run.notebook}: its front matter needs {need!r} on {run.dataset}; "
                f"there are avatars, scores, {', '.join(known)}"
            )
    return needs


def data_state(name: str) -> str:
    """Return what identifies the data behind a page or a need: the roots that were set."""
    names = (name,) if name in DATASETS else DATASETS
    roots = {name: os.environ.get(f"MEMAA_{name.upper()}_ROOT", "") for name in names}
    roots["allowed"] = os.environ.get("MEMAA_ALLOW_SUBJECTS", "")
    settings = pages.ROOT / "memaa.toml"
    return fingerprint(roots, settings.read_bytes() if settings.is_file() else b"")


def prepare(need: str, profile: str) -> None:
    """Make what a page needs, with a training profile where something is trained."""
    from memaa_lib import profiles
    from memaa_lib import protocol as protocols
    from memaa_lib.avatar import make_avatars
    from memaa_lib.datasets import load_index
    from memaa_lib.experiments import ablations

    kind, _, what = need.partition("-")
    if kind == PRETRAINING:
        protocols.starting_weights(profiles.profile_named(profile), n_jobs=1)
    elif kind == "avatars":
        make_avatars(load_index(what), TRAINING_ALPHAS)  # among them the test's
    elif what == "cross":
        for dataset in DATASETS:
            protocols.train(dataset, "memaa", "cross", profile, n_jobs=1)
    elif what == "arms":
        for arm in ablations.QUICK:
            ablations.run_arm(arm, "smic", "loso", profile, n_jobs=1)
    else:
        protocols.train(what, "memaa", "loso", profile, n_jobs=1)
