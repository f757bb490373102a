"""What every reader shares: the result of reading a release, and rows of the index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from memaa_lib._support.errors import InputError
from memaa_lib.clips import FolderScan, scan_frames
from memaa_lib.datasets.layout import ClipFolder, FrameTree, choose_tree, list_clip_folders
from memaa_lib.datasets.manifests import Annotation, DatasetManifest
from memaa_lib.datasets.roots import DataRoot
from memaa_lib.datasets.spreadsheet import (
    cell_text,
    find_annotation_file,
    read_table,
    whole_number,
)

# Int64 is pandas' own: an apex may be absent
INDEX_DTYPES = {
    "dataset": "str",
    "subject": "str",
    "clip": "str",
    "onset": "Int64",
    "apex": "Int64",
    "offset": "Int64",
    "apex_or_middle": "Int64",
    "fps": "float64",
    "label": "str",
    "emotion": "str",
    "action_units": "str",
    "path": "str",
    "n_frames": "int64",
    "is_twin": "bool",
    "root": "str",
}


@dataclass(frozen=True)
class Problem:
    """Something wrong with a release: what kind, in which clip, in words."""

    kind: str
    subject: str
    clip: str
    message: str
    file: str = ""


@dataclass
class Reading:
    """A release as it was read: one record a clip, what lies in the folders, what was wrong."""

    manifest: DatasetManifest
    root: DataRoot
    tree: FrameTree
    coding: str | None
    records: list[dict[str, Any]] = field(default_factory=list)
    folders: dict[tuple[str, str], ClipFolder] = field(default_factory=dict)  # by subject and clip
    scans: dict[tuple[str, str], FolderScan] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add_problem(
        self, kind: str, subject: str, clip: str, message: str, file: object = ""
    ) -> None:
        """Note something wrong."""
        self.problems.append(Problem(kind, subject, clip, message, str(file)))


def open_release(
    manifest: DatasetManifest, root: DataRoot, variant: str | None, coding: str | None
) -> Reading:
    """Find the frames of a release and list its clip folders; there are no records yet."""
    tree = choose_tree(root.path, manifest, variant)
    reading = Reading(manifest, root, tree, coding)
    for folder in list_clip_folders(tree.path, manifest):
        key = (folder.subject, folder.clip)
        if key in reading.folders:
            reading.add_problem(
                "duplicate clip",
                *key,
                f"two folders hold this clip; {reading.folders[key].path} is read",
                folder.path,
            )
            continue
        reading.folders[key] = folder
        try:
            reading.scans[key] = scan_frames(folder.path)
        except InputError as error:  # of one folder; the others are read
            reading.scans[key] = FolderScan()
            message = str(error).removeprefix(f"{folder.path}: ")
            reading.add_problem("unreadable folder", *key, message, folder.path)
    return reading


def read_annotated(
    manifest: DatasetManifest,
    annotation: Annotation,
    root: DataRoot,
    variant: str | None,
    coding: str | None,
) -> Reading:
    """Read a release whose clips stand in a spreadsheet (CASME II, SAMM).

    A row that cannot be understood is a problem, every other one a record.
    """
    reading = open_release(manifest, root, variant, coding)
    file, reading.coding = find_annotation_file(
        root.path, reading.tree.path, annotation, coding, manifest.title.split(" (")[0]
    )
    seen: set[tuple[str, str]] = set()
    for row in read_table(file, annotation).rows:
        record = _record_of_row(reading, annotation, row, file)
        if record is None:
            continue
        key = (record["subject"], record["clip"])
        if key in seen:
            message = f"row {row['row']} names this clip a second time; the first row counts"
            reading.add_problem("duplicate row", *key, message, file)
            continue
        seen.add(key)
        reading.records.append(record)
    return reading


def count_frames(scan: FolderScan | None, onset: int, offset: int) -> int:
    """Count the frames that are there from onset to offset."""
    if scan is None:
        return 0
    return sum(onset <= number <= offset for number in scan.frames)


def to_frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Put records into a table with the index's columns and types."""
    columns = {
        name: pd.Series([record.get(name) for record in records], dtype=kind)
        for name, kind in INDEX_DTYPES.items()
    }
    return pd.DataFrame(columns)


def base_record(reading: Reading, subject: str, clip: str) -> dict[str, Any]:
    """Return the fields of a record that do not depend on its annotation."""
    folder = reading.folders.get((subject, clip))
    return {
        "dataset": reading.manifest.name,
        "subject": subject,
        "clip": clip,
        "fps": reading.manifest.fps,
        "path": None if folder is None else str(folder.path),
        "is_twin": reading.root.is_twin,
        "root": str(reading.root.path),
    }


def _record_of_row(
    reading: Reading, annotation: Annotation, row: Mapping[str, Any], file: Path
) -> dict[str, Any] | None:
    """One clip from one row; ``None``, and a problem, if the row cannot be understood."""
    manifest = reading.manifest
    subject = manifest.subject_id(cell_text(row["subject"]))
    clip = manifest.clip_id(cell_text(row["clip"]))
    if subject is None or clip is None:
        where = f"row {row['row']}: {_told(row['subject'])}, {_told(row['clip'])}"
        reading.add_problem("bad row", "", "", f"{where} is no subject and clip of the set", file)
        return None
    onset, offset = whole_number(row["onset"]), whole_number(row["offset"])
    if onset is None or offset is None or onset > offset:
        message = (
            f"row {row['row']}: onset {_told(row['onset'])}, offset {_told(row['offset'])}; "
            "expected two frame numbers in order"
        )
        reading.add_problem("bad row", subject, clip, message, file)
        return None
    if offset - onset >= manifest.longest_clip_frames:  # a date that was typed is a number, too
        message = (
            f"row {row['row']}: {offset - onset + 1} frames from onset {onset} to offset {offset}; "
            f"clips of the set have at most {manifest.longest_clip_frames}"
        )
        reading.add_problem("bad row", subject, clip, message, file)
        return None
    apex = whole_number(row["apex"])
    if apex is None and cell_text(row["apex"]) not in annotation.missing_apex:
        message = f"row {row['row']}: apex {_told(row['apex'])} is no frame number; taken as not annotated"
        reading.add_problem("bad row", subject, clip, message, file)
    apex, recorded = _overridden(reading, subject, clip, apex)
    emotion = cell_text(row["emotion"]).lower()
    label = manifest.label_of(emotion)
    if label is None and emotion not in manifest.unlabelled_emotions:
        message = f"row {row['row']}: {cell_text(row['emotion'])!r} is no emotion of the set"
        reading.add_problem("unknown emotion", subject, clip, message, file)
    scan = reading.scans.get((subject, clip))
    return {
        **base_record(reading, subject, clip),
        "onset": onset,
        "apex": apex,
        "offset": offset,
        "apex_or_middle": apex if apex is not None else (onset + offset) // 2,
        "label": label,
        "emotion": emotion,
        "action_units": cell_text(row.get("action_units")),
        "n_frames": count_frames(scan, onset, offset),
        "recorded_apex": recorded,
    }


def _told(value: object) -> str:
    """Return a cell as messages show it."""
    text = cell_text(value)
    if isinstance(value, (date, time, timedelta)):  # stored so, whatever the cell's format
        return f"{text} (a date or time)"
    return (repr(text) if isinstance(value, str) else text) if text else "(empty)"


def _overridden(
    reading: Reading, subject: str, clip: str, apex: int | None
) -> tuple[int | None, int | None]:
    """Return the apex to use and, where the manifest overrides it, the one that is recorded."""
    for override in reading.manifest.apex_overrides:
        if (override.subject, override.clip, override.recorded) == (subject, clip, apex):
            return override.apex, apex
    return apex, None
