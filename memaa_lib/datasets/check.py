"""Checking a release against its manifest: counts, then every problem, known holes apart.

A check never stops at the first problem. Without ``decode`` it reads folder listings and the images'
structure but decodes no pixels, so a whole set takes seconds.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from memaa_lib._support.cache import cache_root
from memaa_lib._support.errors import InputError
from memaa_lib._support.media import cut_short, image_header, read_image
from memaa_lib._support.running import progress
from memaa_lib.clips import FolderScan, check_series
from memaa_lib.datasets.composite import exclusion, rule_exclusion
from memaa_lib.datasets.index import read_release
from memaa_lib.datasets.manifests import Counts, dataset_names, load_composite, load_manifest
from memaa_lib.datasets.reading import Problem, Reading
from memaa_lib.datasets.roots import released_root
from memaa_lib.datasets.truth import TRUTH_FOLDER, find_truth_folder, read_truth
from memaa_lib.paper import CLASSES, DATASETS

_SHOWN_NUMBERS = 6  # runs of frame numbers in a message


@dataclass(frozen=True)
class CheckReport:
    """What a check found."""

    dataset: str
    root: str
    variant: str
    coding: str | None
    is_twin: bool
    # expected and found: clips of each class and in all, subjects, annotated clips
    counts: pd.DataFrame
    problems: tuple[Problem, ...]  # what should not be so
    # known of the release (its manifest) or meant so in a twin, with the reason
    known: tuple[Problem, ...]
    n_files: int  # frames found

    @property
    def ok(self) -> bool:
        """Whether there is no unexpected problem."""
        return not self.problems

    def to_frame(self) -> pd.DataFrame:
        """Return all problems, the unexpected first: ``known, kind, subject, clip, message, file``."""
        rows = [{"known": False, **asdict(problem)} for problem in self.problems]
        rows += [{"known": True, **asdict(problem)} for problem in self.known]
        return pd.DataFrame(rows, columns=["known", "kind", "subject", "clip", "message", "file"])

    def to_text(self) -> str:
        """Return the whole report for reading: counts, problems, then what is known."""
        kind = "synthetic twin" if self.is_twin else "real data"
        coding = f", coding {self.coding}" if self.coding else ""
        lines = [
            f"{self.dataset}: {kind}, {self.variant} frames{coding}, {self.n_files} frames",
            f"in {self.root}",
            "",
            self.counts.to_string(index=False),
            "",
            *_listed("problem", self.problems),
            *_listed("known hole", self.known),
        ]
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the whole report as JSON text."""
        content = {
            "dataset": self.dataset,
            "root": self.root,
            "variant": self.variant,
            "coding": self.coding,
            "is_twin": self.is_twin,
            "ok": self.ok,
            "n_files": self.n_files,
            "counts": self.counts.to_dict(orient="records"),
            "problems": [asdict(problem) for problem in self.problems],
            "known": [asdict(problem) for problem in self.known],
        }
        return json.dumps(content, indent=1)


def _listed(what: str, problems: tuple[Problem, ...]) -> list[str]:
    """Return one line a problem below a line with their number."""
    number = len(problems)
    return [f"{number or 'no'} {what}{'' if number == 1 else 's'}"] + [
        f"  {problem.kind}: {'/'.join(filter(None, (problem.subject, problem.clip)))}"
        f"{': ' if problem.clip or problem.subject else ''}{problem.message}"
        f"{f' [{problem.file}]' if problem.file else ''}"
        for problem in problems
    ]


def check(
    dataset: str,
    root: Path | str | None = None,
    decode: bool = False,
    *,
    coding: str | None = None,
    variant: str | None = None,
) -> CheckReport:
    """Check a release, clip by clip.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"`` or ``"further"``.
    root
        The set's folder; see :func:`memaa_lib.datasets.find_root`.
    decode
        Decode every image instead of following its structure only.
    coding, variant
        See :func:`memaa_lib.datasets.load_index`.

    Returns
    -------
    CheckReport
        Kinds of problems: ``missing clip, missing frames, extra frames, extra clip, duplicate clip,
        duplicate row, duplicate frame, uncertain order, stray file, unreadable image, size change,
        unreadable folder, wrong colour, apex out of range, unknown emotion, bad row, label mismatch,
        clip too long, count``.

    Raises
    ------
    InputError
        If the release cannot be read at all (no frames, no spreadsheet).

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from memaa_lib.clips import write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number in (1, 2, 4):
    ...         name = f"further/f1/micro/negative/f1_ne_01/reg_image{number:06d}.bmp"
    ...         write_image(Path(folder, name), np.zeros((178, 146, 3), np.uint8))
    ...     report = check("further", folder)
    >>> report.problems[0].kind, report.problems[0].clip, report.problems[0].message
    ('missing frames', 'f001_ne_01', '1 of 4 frames missing: 3')
    """
    if dataset == "composite":
        raise InputError("composite: check its members one by one (smic, casme2, samm)")
    reading = read_release(dataset, root, coding=coding, variant=variant)
    truth = read_truth(reading.root.path) if reading.root.is_twin else None
    found = list(reading.problems)
    found += _clip_problems(reading)
    with progress(f"checking {dataset}", len(reading.scans)) as advance:
        found += _image_problems(reading, decode, advance)
    problems, known = _sort_out(found, reading, truth)
    counts = _counts(reading, truth)
    problems += _count_problems(counts, problems, known)
    return CheckReport(
        dataset,
        str(reading.root.path),
        reading.tree.variant,
        reading.coding,
        reading.root.is_twin,
        counts,
        tuple(problems),
        tuple(known),
        sum(len(scan.frames) for scan in reading.scans.values()),
    )


def list_datasets() -> pd.DataFrame:
    """List the data sets: where they are, on what terms, what is expected of them.

    Returns
    -------
    pandas.DataFrame
        ``dataset, title, source, root, clips, subjects, negative, positive, surprise, fps, licence,
        where``. ``source`` is ``"real"``, ``"twin"``, ``"twin, not made"``, or ``"problem"``, and then
        ``root`` says which. Nothing is made or read.

    Examples
    --------
    >>> list_datasets().dataset.tolist()
    ['smic', 'casme2', 'samm', 'further', 'composite']
    """
    rows = []
    for name in dataset_names():
        manifest = load_manifest(name)
        source, root = _source(name)
        rows.append(
            {
                "dataset": name,
                "title": manifest.title,
                "source": source,
                "root": root,
                **_counted(manifest.counts),
                "fps": manifest.fps,
                "licence": manifest.access.licence.strip(),
                "where": manifest.access.where,
            }
        )
    composite = load_composite()
    sources = {str(row["source"]).split(",")[0] for row in rows[: len(DATASETS)]}
    both = "problem" if "problem" in sources else "mixed"
    rows.append(
        {
            "dataset": "composite",
            "title": composite.title,
            "source": sources.pop() if len(sources) == 1 else both,
            "root": "those of its members",
            **_counted(composite.counts),
            "fps": float("nan"),
            "licence": "those of its members",
            "where": composite.official_list_url,
        }
    )
    return pd.DataFrame(rows)


def _counted(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("clips", "subjects", *CLASSES)}


def _source(dataset: str) -> tuple[str, str]:
    """Tell what the set's frames come from at present, and the folder."""
    try:
        path = released_root(dataset)
    except InputError as error:
        return "problem", str(error)
    if path is not None:
        return "twin" if find_truth_folder(path) else "real", str(path)
    from memaa_lib.datasets.twins.release import twin_cache_path

    path = twin_cache_path(dataset)
    made = path.is_dir() and read_truth(path)["complete"] if _has_truth(path) else False
    return "twin" if made else "twin, not made", str(path) if made else str(cache_root())


def _has_truth(path: Path) -> bool:
    return (path / TRUTH_FOLDER / "truth.json").is_file()


def _clip_problems(reading: Reading) -> Iterator[Problem]:
    """Compare the annotation with the listings, clip by clip."""
    annotated = {(record["subject"], record["clip"]) for record in reading.records}
    whole_recordings = _holds_whole_recordings(reading)
    for record in reading.records:
        subject, clip = record["subject"], record["clip"]
        scan = reading.scans.get((subject, clip))
        if scan is None or not scan.frames:
            yield Problem("missing clip", subject, clip, "annotated, but no frame is on disk")
        else:
            yield from _frame_problems(record, scan, whole_recordings)
        yield from _apex_problems(record)
    for key, folder in reading.folders.items():
        if key not in annotated and reading.scans[key].frames:
            message = "frames without annotation"
            yield Problem("extra clip", *key, message, str(folder.path))


def _holds_whole_recordings(reading: Reading) -> bool:
    """Whether the frames go beyond onset and offset throughout, as in CASME2-RAW."""
    beyond = [
        len(scan.frames) - record["n_frames"] > 0
        for record in reading.records
        if (scan := reading.scans.get((record["subject"], record["clip"]))) and scan.frames
    ]
    return len(beyond) > 1 and statistics.mean(beyond) > 0.5


def _frame_problems(
    record: dict[str, Any], scan: FolderScan, whole_recordings: bool
) -> Iterator[Problem]:
    subject, clip, path = record["subject"], record["clip"], record["path"]
    onset, offset = record["onset"], record["offset"]
    missing = [number for number in range(onset, offset + 1) if number not in scan.frames]
    if missing:
        total = offset - onset + 1
        message = f"{len(missing)} of {total} frames missing: {_numbers(missing)}"
        yield Problem("missing frames", subject, clip, message, path)
    extra = [number for number in scan.frames if not onset <= number <= offset]
    if extra and not whole_recordings:
        message = f"{len(extra)} frames outside of {onset} to {offset}: {_numbers(extra)}"
        yield Problem("extra frames", subject, clip, message, path)
    inside = [name for number, name in scan.frames.items() if onset <= number <= offset]
    try:
        check_series(path, [*inside, *scan.duplicates])
    except InputError as error:
        message = str(error).removeprefix(f"{path}: ")
        yield Problem("uncertain order", subject, clip, message, path)
    for name in scan.duplicates:
        yield Problem(
            "duplicate frame", subject, clip, "a second file for one frame", f"{path}/{name}"
        )
    for name in scan.strays:
        yield Problem("stray file", subject, clip, "no numbered image", f"{path}/{name}")


def _apex_problems(record: dict[str, Any]) -> Iterator[Problem]:
    onset, apex, offset = record["onset"], record["apex"], record["offset"]
    recorded = record.get("recorded_apex")
    if recorded is not None:
        message = f"apex {recorded} is not in {onset} to {offset}; {apex} is used instead"
        yield Problem("apex out of range", record["subject"], record["clip"], message)
    elif apex is not None and not onset <= apex <= offset:
        message = f"apex {apex} is not in {onset} to {offset}"
        yield Problem("apex out of range", record["subject"], record["clip"], message)


def _numbers(numbers: list[int]) -> str:
    """Frame numbers for a message; runs as first-last."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:_SHOWN_NUMBERS]]
    return ", ".join(shown) + (" ..." if len(runs) > _SHOWN_NUMBERS else "")


def _image_problems(
    reading: Reading, decode: bool, advance: Callable[[], None]
) -> Iterator[Problem]:
    colour = reading.manifest.variants[reading.tree.variant].colour
    for key, scan in reading.scans.items():
        folder = reading.folders[key].path
        first: tuple[tuple[int, int], str] | None = None
        for name in scan.frames.values():
            file = str(folder / name)
            state = _decoded(file) if decode else _from_header(file)
            if isinstance(state, str):
                yield Problem("unreadable image", *key, state, file)
                continue
            if first is None:
                first = state
                if state[1] != ("colour" if colour else "gray"):
                    expected = "colour" if colour else "gray"
                    yield Problem("wrong colour", *key, f"{state[1]}, expected {expected}", file)
            elif state != first:
                message = "{}x{} {}, but the clip's first frame is {}x{} {}".format(
                    *state[0], state[1], *first[0], first[1]
                )
                yield Problem("size change", *key, message, file)
        advance()


def _decoded(file: str) -> tuple[tuple[int, int], str] | str:
    """Size and kind of an image that decodes whole, else what is wrong with it."""
    try:
        image = read_image(file)
    except InputError as error:
        return str(error).removeprefix(f"{file}: ")
    return (image.shape[1], image.shape[0]), "gray" if image.ndim == 2 else "colour"


def _from_header(file: str) -> tuple[tuple[int, int], str] | str:
    """Size and kind that the header of a whole image states, else what is wrong with it."""
    try:
        with open(file, "rb") as stream:
            problem = cut_short(stream)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    header = image_header(file)
    if header is not None and header[1] == "16-bit":
        problem = "16 bits a channel, expected 8; convert the image"
    return problem or header or "not a readable image"


def _sort_out(
    found: list[Problem], reading: Reading, truth: dict[str, Any] | None
) -> tuple[list[Problem], list[Problem]]:
    """Unexpected problems, and those that are known of the release or meant so in the twin."""
    problems, known = [], []
    for problem in dict.fromkeys(found):
        reason = _known_reason(problem, reading, truth)
        if reason is None:
            problems.append(problem)
        else:
            message = f"{problem.message} (known: {reason})"
            known.append(
                Problem(problem.kind, problem.subject, problem.clip, message, problem.file)
            )
    if truth is not None:
        problems += _missing_from_twin(reading, truth, known)
    return problems, known


def _known_reason(problem: Problem, reading: Reading, truth: dict[str, Any] | None) -> str | None:
    key = (problem.kind, problem.subject, problem.clip)
    if truth is not None:
        if problem.kind == "missing clip":
            reason = truth["not_rendered"].get(f"{problem.subject}/{problem.clip}")
            return None if reason is None else str(reason)
        if not truth["defects"]:
            return None  # such a twin has none of the release's holes
    for hole in reading.manifest.known_holes:
        if (hole.kind, hole.subject, hole.clip) != key or reading.tree.variant not in hole.variants:
            continue
        if hole.kind == "missing frames" and not _is_that_hole(reading, problem, hole.frames):
            continue
        return hole.reason
    return None


def _is_that_hole(reading: Reading, problem: Problem, frames: int) -> bool:
    """Whether no more frames are missing than are known to be."""
    record = next(
        r for r in reading.records if (r["subject"], r["clip"]) == (problem.subject, problem.clip)
    )
    return bool(record["offset"] - record["onset"] + 1 - record["n_frames"] <= frames)


def _missing_from_twin(
    reading: Reading, truth: dict[str, Any], known: list[Problem]
) -> Iterator[Problem]:
    """Clips and frames at the ends that the twin says it has but the disk has not."""
    there = {(record["subject"], record["clip"]): record for record in reading.records}
    holes = (
        {(hole.subject, hole.clip) for hole in reading.manifest.known_holes}
        if truth["defects"]
        else set()
    )
    for clip in truth["clips"]:
        key = (clip["subject"], clip["clip"])
        record = there.get(key)
        missing = record is None or not reading.scans.get(key, FolderScan()).frames
        if missing and key in holes:
            hole = next(h for h in reading.manifest.known_holes if (h.subject, h.clip) == key)
            if not any((k.subject, k.clip) == key for k in known):
                known.append(Problem("missing clip", *key, f"no folder (known: {hole.reason})"))
        elif missing and f"{key[0]}/{key[1]}" not in truth["not_rendered"]:
            if record is None:
                yield Problem("missing clip", *key, "in the twin's truth file, but not on disk")
        elif record is not None and key not in holes and reading.manifest.annotation is None:
            ends = (record["onset"], record["offset"])
            if ends != (clip["onset"], clip["offset"]):
                message = (
                    f"frames {ends[0]} to {ends[1]}, written as {clip['onset']} to {clip['offset']}"
                )
                yield Problem("missing frames", *key, message, str(record["path"]))


def _counts(reading: Reading, truth: dict[str, Any] | None) -> pd.DataFrame:
    """Count the composite's clips and the annotated ones, expected and found."""
    inside = [r for r in reading.records if exclusion(reading, r) is None]
    by_rule = [r for r in reading.records if rule_exclusion(reading, r) is None]
    expected = _counted(reading.manifest.counts) if truth is None else truth["counts"]
    found = {"clips": len(inside), "subjects": len({r["subject"] for r in inside})}
    found |= {label: sum(r["label"] == label for r in inside) for label in CLASSES}
    rows = [
        {"what": name, "expected": expected[name], "found": found[name]}
        for name in ("clips", "subjects", *CLASSES)
    ]
    annotated = sum(reading.manifest.annotated.values()) or len(reading.records)
    if truth is not None:
        annotated = truth["annotated"]
    rows.append({"what": "annotated clips", "expected": annotated, "found": len(reading.records)})
    rows.append({"what": "by the rule", "expected": expected["clips"], "found": len(by_rule)})
    return pd.DataFrame(rows)


def _count_problems(
    counts: pd.DataFrame, problems: list[Problem], known: list[Problem]
) -> list[Problem]:
    """Note wrong counts, unless a missing or extra clip explains them."""
    explaining = {"missing clip", "extra clip", "duplicate row", "bad row", "unknown emotion"}
    if any(problem.kind in explaining for problem in (*problems, *known)):
        return []
    return [
        Problem("count", "", "", f"{row.found} {row.what}, expected {row.expected}")
        for row in counts.itertuples()
        if row.found != row.expected
    ]
