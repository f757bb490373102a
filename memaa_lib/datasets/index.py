"""One table for every data set: a row a clip, whatever the release looks like."""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip, check_series, frame_number, scan_frames, stack_images
from memaa_lib.datasets import annotated, smic
from memaa_lib.datasets.composite import exclusion, rule_exclusion
from memaa_lib.datasets.manifests import load_composite, load_manifest
from memaa_lib.datasets.reading import Reading, to_frame
from memaa_lib.datasets.roots import configured_root, ensure_root
from memaa_lib.datasets.rows import ClipRow
from memaa_lib.datasets.truth import (
    LEVELS_TO_ROOT,
    clip_truth_path,
    find_truth_folder,
    read_clip_truth,
)
from memaa_lib.paper import DATASETS

logger = logging.getLogger(__name__)

ALLOW_MIXED = "MEMAA_ALLOW_MIXED"  # set by --allow-mixed, for the processes of a book, too
Clips = Literal["megc2019", "all"]
Roots = Path | str | Mapping[str, Path | str] | None


def load_index(
    dataset: str,
    root: Roots = None,
    clips: Clips = "megc2019",
    *,
    coding: str | None = None,
    variant: str | None = None,
    allow_mixed: bool = False,
) -> pd.DataFrame:
    """List the clips of a data set (Sec. 4.1, Table 2).

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"``, ``"composite"`` (the three), or ``"further"``.
    root
        The set's folder; see :func:`memaa_lib.datasets.ensure_root` for what happens without. For the
        composite a dict of folders, or one folder with subfolders ``smic``, ``casme2`` and
        ``samm``.
    clips
        ``"megc2019"``: the clips of the composite whose frames are there. ``"all"``: every
        annotated clip, also without class or frames (``n_frames`` 0).
    coding
        CASME II only: ``"2014"`` or ``"2019"``; by default the 2014 edition, else the one that is
        there. Both give the same clips under ``"megc2019"``.
    variant
        ``"cropped"`` or ``"raw"`` frames; by default the first of the manifest's that is there.
        In the composite ``"cropped"`` leaves SAMM as it is: it is released uncropped only.
    allow_mixed
        Let the composite hold real sets and synthetic twins together.

    Returns
    -------
    pandas.DataFrame
        ``dataset, subject, clip`` (canonical text ids, together unique); ``onset, apex, offset``
        (frame numbers of the recording, ``Int64``; SMIC has no apex); ``apex_or_middle`` (the apex,
        else the middle ``(onset + offset) // 2``); ``fps``; ``label`` (``"negative"``,
        ``"positive"``, ``"surprise"`` or missing); ``emotion``; ``action_units``; ``path`` (the
        clip's folder); ``n_frames`` (frames on disk from onset to offset); ``is_twin``; ``root``.
        Sorted by subject and clip within a set.

    Raises
    ------
    InputError
        If a name is unknown, data are missing or unreadable, or the composite would mix real and
        synthetic.

    Notes
    -----
    What is wrong with a release is logged as a warning; :func:`memaa_lib.datasets.check` lists it.
    """
    if clips not in ("megc2019", "all"):
        raise InputError(f"clips {clips!r}: expected 'megc2019' or 'all'")
    if dataset == "composite":
        return _load_composite(root, clips, coding, variant, allow_mixed)
    if isinstance(root, Mapping):
        root = root.get(dataset)
    reading = read_release(dataset, root, coding=coding, variant=variant)
    _warn(reading)
    return _index_of(reading, clips)


def read_release(
    dataset: str,
    root: Path | str | None = None,
    *,
    coding: str | None = None,
    variant: str | None = None,
) -> Reading:
    """Read a release with everything that :func:`memaa_lib.datasets.check` needs to know.

    Examples
    --------
    >>> read_release("fer2013")
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: 'fer2013' is no data set; expected one of smic, casme2,...
    """
    manifest = load_manifest(dataset)
    if coding is not None and (
        manifest.annotation is None or coding not in manifest.annotation.codings
    ):
        raise InputError(f"coding {coding!r}: {dataset} has no such coding; leave it out")
    read = smic.read if manifest.annotation is None else annotated.read
    reading = read(manifest, ensure_root(dataset, root), variant, coding)
    reading.records.sort(key=lambda record: (record["subject"], record["clip"]))
    return reading


def explain_exclusions(
    dataset: str, root: Roots = None, *, coding: str | None = None, variant: str | None = None
) -> pd.DataFrame:
    """Say of every annotated clip that is not in the composite why it is out.

    Parameters
    ----------
    dataset, root, coding, variant
        See :func:`load_index`.

    Returns
    -------
    pandas.DataFrame
        ``dataset, subject, clip, emotion, reason``.
    """
    rows = []
    for name, folder in _members(dataset, root).items():
        member_coding = coding if name == "casme2" else None
        reading = read_release(name, folder, coding=member_coding, variant=variant)
        for record in reading.records:
            reason = exclusion(reading, record)
            if reason is not None:
                rows.append((name, record["subject"], record["clip"], record["emotion"], reason))
        rows += [
            (name, problem.subject, problem.clip, "", problem.message)
            for problem in reading.problems
            if problem.kind == "missing clip"
        ]
    return pd.DataFrame(rows, columns=["dataset", "subject", "clip", "emotion", "reason"])


def load_clip(row: ClipRow, *, crop: bool = True) -> Clip:
    """Read the frames of one row of the index, onset to offset.

    Parameters
    ----------
    row
        A row of :func:`load_index`: ``index.iloc[i]``, a dict, or what ``itertuples`` gives.
    crop
        Cut the face out where it is small in the frame (SAMM and the raw releases), see
        :func:`memaa_lib.registration.crop_clip`.

    Returns
    -------
    Clip
        Positions count from 0 within the frames that are there. Frames that are missing on disk are
        skipped and logged; if the apex is among them, the nearest frame stands for it. ``apex`` is
        ``None`` where nobody annotated it.

    Raises
    ------
    InputError
        If no frame is there, one cannot be read, or frames to be cropped show no face.
    """
    row = ClipRow.of(row)
    files, numbers = present_frames(row)
    expected = row.offset - row.onset + 1
    if len(numbers) < expected:
        missing = expected - len(numbers)
        logger.warning("%s: %d of %d frames missing", row.name, missing, expected)
    position = None
    if row.apex is not None:
        position = int(np.argmin([abs(number - row.apex) for number in numbers]))
        if numbers[position] != row.apex:
            logger.warning(
                "%s: no apex frame %d; %d stands for it", row.name, row.apex, numbers[position]
            )
    try:
        images = stack_images(files)
    except InputError as error:
        raise InputError(f"{error}{_how_to_mend(row)}") from None
    clip = Clip(
        images,
        float(row.fps),
        onset=0,
        apex=position,
        offset=len(files) - 1,
        dataset=row.dataset,
        subject=row.subject,
        name=row.clip,
        label=row.label,
        is_twin=bool(row.is_twin),
    )
    if not crop:
        return clip
    from memaa_lib.registration import (
        crop_clip,
    )  # a second, which only a clip to be cropped has to pay

    return crop_clip(clip)


def load_truth_landmarks(row: ClipRow) -> NDArray[np.float32]:
    """Read the true landmarks of one clip of a synthetic twin, for its frames as they were recorded.

    Parameters
    ----------
    row
        A row of :func:`load_index`.

    Returns
    -------
    ndarray
        ``float32`` ``(T, 68, 2)``, px, x right and y down, pixel centres at integers, for the frames
        of ``load_clip(row, crop=False)``.

    Raises
    ------
    InputError
        If the row is not of a twin.

    Examples
    --------
    >>> row = {"path": "/", "dataset": "smic", "subject": "s01", "clip": "s01_ne_01"}
    >>> load_truth_landmarks(row)
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: smic/s01/s01_ne_01: real data have no true landmarks; find...
    """
    row = ClipRow.of(row)
    truth = load_truth(row)
    _, numbers = present_frames(row)
    positions = np.searchsorted(truth["frame_numbers"], numbers)
    return np.asarray(truth["landmarks"][positions], np.float32)


def load_truth(row: ClipRow) -> dict[str, NDArray[Any]]:
    """Read all ground truth of one clip of a synthetic twin.

    Parameters
    ----------
    row
        A row of :func:`load_index`.

    Returns
    -------
    dict
        See :func:`memaa_lib.datasets.truth.read_clip_truth`.

    Raises
    ------
    InputError
        If the row is not of a twin.
    """
    row = ClipRow.of(row)
    folder = None if row.path is None else find_truth_folder(row.path, LEVELS_TO_ROOT)
    if folder is None:
        raise InputError(
            f"{row.name}: real data have no true landmarks; find them with memaa_lib.registration"
        )
    file = clip_truth_path(folder.parent, row.subject, row.clip)
    if file.is_file() and not _is_whole(file):
        raise InputError(f"{file}: damaged{_how_to_mend(row)}")
    return read_clip_truth(folder.parent, row.subject, row.clip)


def _how_to_mend(row: ClipRow) -> str:
    """Say how a damaged clip of a synthetic twin is rendered again; nothing for a real one."""
    folder = find_truth_folder(row.path or "", LEVELS_TO_ROOT)
    if folder is None:
        return ""
    truth = clip_truth_path(folder.parent, row.subject, row.clip)
    return f"; to render the twin's clip again, remove {truth} and run memaa data twin"


def _is_whole(file: Path) -> bool:
    """Whether an archive's parts all have their checksum."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, zlib.error, ValueError, NotImplementedError, EOFError):
        return False


def subject_key(row: ClipRow) -> str:
    """Return the group of a clip: data set and subject, for ids of different sets can look alike.

    Examples
    --------
    >>> subject_key({"dataset": "samm", "subject": "006"})
    'samm/006'
    """
    row = ClipRow.of(row)
    return f"{row.dataset}/{row.subject}"


def present_frames(row: ClipRow) -> tuple[list[Path], list[int]]:
    """Return files and numbers of the frames from onset to offset that are on disk."""
    if row.path is None:
        raise InputError(f"{row.name}: no frames on disk; leave out rows with n_frames 0")
    scan = scan_frames(row.path)
    if scan.links and find_truth_folder(row.path, LEVELS_TO_ROOT):
        raise InputError(
            f"{Path(row.path, scan.links[0])}: a link in a synthetic twin; a twin holds its own frames, "
            "so that nobody's face passes for a rendered one; write the twin again"
        )
    numbers = [number for number in scan.frames if row.onset <= number <= row.offset]
    if not numbers:
        raise InputError(
            f"{row.path}: no frame from {row.onset} to {row.offset}; get the clip again or leave it out"
        )
    # a second file for one frame, or one of another series, may be another picture: which is meant?
    files = [scan.frames[number] for number in numbers]
    twice = [name for name in scan.duplicates if frame_number(name) in numbers]
    check_series(row.path, [*files, *twice])
    if twice:
        raise InputError(
            f"{Path(row.path, twice[0])}: a second file for one frame; keep one of them"
        )
    return [Path(row.path, name) for name in files], numbers


def _index_of(reading: Reading, clips: Clips) -> pd.DataFrame:
    records = reading.records
    if clips == "megc2019":
        records = [record for record in records if exclusion(reading, record) is None]
    return to_frame(records)


def _warn(reading: Reading) -> None:
    """Log what was wrong, in a few lines."""
    name = reading.manifest.name
    for record in reading.records:
        if record["recorded_apex"] is not None:
            logger.info(
                "%s/%s/%s: the spreadsheet's apex %s is wrong, using %s (see the manifest)",
                name,
                record["subject"],
                record["clip"],
                record["recorded_apex"],
                record["apex"],
            )
    for kind in sorted({problem.kind for problem in reading.problems}):
        those = [problem for problem in reading.problems if problem.kind == kind]
        first = those[0]
        example = f"{first.subject}/{first.clip}: " if first.clip else ""
        logger.warning("%s: %d x %s, e.g. %s%s", name, len(those), kind, example, first.message)
    wanted = [record for record in reading.records if rule_exclusion(reading, record) is None]
    lacking = [record for record in wanted if not record["n_frames"]]
    if lacking:
        example = f"{lacking[0]['subject']}/{lacking[0]['clip']}"
        message = "%s: %d of %d clips of the composite have no frame on disk, e.g. %s"
        logger.warning(message, name, len(lacking), len(wanted), example)
    elif not wanted:
        logger.warning("%s: none of %d clips is of the composite", name, len(reading.records))


def _members(dataset: str, root: Roots) -> dict[str, Path | str | None]:
    """Return data set -> folder, for one set or the three of the composite."""
    if dataset != "composite":
        return {dataset: root.get(dataset) if isinstance(root, Mapping) else root}
    if root is None:
        return dict.fromkeys(load_composite().members)
    if isinstance(root, Mapping):
        unknown = sorted(set(root) - set(DATASETS))
        if unknown:
            raise InputError(f"root {unknown[0]!r}: expected some of {', '.join(DATASETS)}")
        return {name: root.get(name) for name in load_composite().members}
    folders = {name: Path(root) / name for name in load_composite().members}
    missing = [str(folder) for folder in folders.values() if not folder.is_dir()]
    if missing:
        raise InputError(
            f"{missing[0]}: no such folder; the composite's root must hold smic, casme2 and samm"
        )
    return dict(folders)


def check_mixture(root: Roots, allow_mixed: bool) -> None:
    """Refuse a composite of real sets and twins that nobody allowed; nothing is read or made."""
    members = _members("composite", root)
    real = [name for name, folder in members.items() if _is_real(name, folder)]
    allowed = allow_mixed or bool(os.environ.get(ALLOW_MIXED))
    if real and len(real) < len(members) and not allowed:
        twins = ", ".join(sorted(set(members) - set(real)))
        raise InputError(
            f"composite: {', '.join(real)} real but {twins} synthetic; name the missing folders, or "
            "allow the mixture (--allow-mixed)"
        )


def _load_composite(
    root: Roots,
    clips: Clips,
    coding: str | None,
    variant: str | None,
    allow_mixed: bool,
) -> pd.DataFrame:
    check_mixture(root, allow_mixed)
    members = _members("composite", root)
    parts = [
        load_index(
            name,
            folder,
            clips,
            coding=coding if name == "casme2" else None,
            variant=_member_variant(name, variant),
        )
        for name, folder in members.items()
    ]
    index = pd.concat(parts, ignore_index=True)
    expected = load_composite().counts.clips
    if clips == "megc2019" and len(index) != expected:
        logger.warning(
            "composite: %d clips, expected %d; run memaa data check", len(index), expected
        )
    return index


def _member_variant(dataset: str, variant: str | None) -> str | None:
    """Return the variant to ask of a member: no release of SAMM is cropped, so it stays raw."""
    twin = load_manifest(dataset).twin
    return None if variant == "cropped" and twin.default_variant != "cropped" else variant


def _is_real(dataset: str, root: Path | str | None) -> bool:
    """Whether a member would be read from real data, without making its twin."""
    path = configured_root(dataset, root)
    return path is not None and find_truth_folder(path) is None
