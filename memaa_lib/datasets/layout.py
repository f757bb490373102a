"""Finding frames on disk: release folders as users really have them.

A release is recognised by what it contains (subject folders that hold clip folders), not by the
name of its folder, so doubled levels, renamed and moved folders are found.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memaa_lib._support.cache import fingerprint, kept
from memaa_lib._support.errors import InputError
from memaa_lib._support.media import image_header
from memaa_lib.clips import scan_frames
from memaa_lib.datasets.manifests import DatasetManifest
from memaa_lib.datasets.rows import ClipRow
from memaa_lib.datasets.truth import TRUTH_FOLDER

logger = logging.getLogger(__name__)

LEVELS_TO_SUBJECTS = 6
MAX_FOLDERS = 20_000  # that are searched, some seconds: a root such as / holds millions
LEVELS_TO_CLIPS = 3
_IGNORED_FOLDERS = ("__macosx", TRUTH_FOLDER, "non_micro")


@dataclass(frozen=True)
class FrameTree:
    """The folder that holds the subject folders, and which released form of the frames it is."""

    path: Path
    variant: str


@dataclass(frozen=True)
class ClipFolder:
    """One clip's folder with its canonical ids and the folders between it and the subject's."""

    subject: str
    clip: str
    path: Path
    between: tuple[str, ...]


def clip_fingerprint(row: ClipRow) -> str:
    """Return digits that change with the frames of a clip, or the part of them that is used.

    Where the clip of the index lies and when it was copied there do not matter.
    """
    row = ClipRow.of(row)
    folder = Path(row.path or "")
    files = [folder / name for name in scan_frames(folder).frames.values()]
    states = [(stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, files)]

    def read_all(missing: list[int]) -> list[str]:
        return [fingerprint(*(part for file in files for part in (file.name, file.read_bytes())))]

    # A shortcut, since to read all frames takes seconds: those that nobody touched are as they were.
    state = fingerprint(str(folder.absolute()), [file.name for file in files], states)
    (content,) = kept([f"clips/{state}.txt"], read_all, _read_fingerprint, Path.write_text)
    return fingerprint(content, [str(part) for part in (row.onset, row.apex, row.offset, row.fps)])


def _read_fingerprint(path: Path) -> str:
    text = path.read_text()
    if not re.fullmatch("[0-9a-f]{16}", text):
        raise InputError(f"{path}: damaged")
    return text


def list_clip_folders(tree: Path, manifest: DatasetManifest) -> list[ClipFolder]:
    """List the clip folders below the subject folders.

    Parameters
    ----------
    tree
        The folder that holds the subject folders.
    manifest
        The set's facts.

    Returns
    -------
    list of ClipFolder
        In the order of subject and clip. Folders of neither name are passed over.

    Examples
    --------
    >>> from memaa_lib.datasets.manifests import load_manifest
    >>> list_clip_folders(Path("nowhere"), load_manifest("samm"))
    []
    """
    found = [
        clip
        for subject_folder, subject in _subject_folders(tree, manifest)
        for clip in _clips_of(subject_folder, subject, manifest)
    ]
    return sorted(found, key=lambda clip: (clip.subject, clip.clip, str(clip.path)))


def find_trees(root: Path, manifest: DatasetManifest) -> tuple[list[FrameTree], list[str]]:
    """Search a folder for releases of a data set.

    Parameters
    ----------
    root
        Where to search, a few levels deep. A twin below it is not looked into.
    manifest
        The set's facts.

    Returns
    -------
    trees : list of FrameTree
        In the manifest's order of variants.
    refused : list of str
        Releases that were found but are not the ones to read, each with the reason.

    Examples
    --------
    >>> from memaa_lib.datasets.manifests import load_manifest
    >>> find_trees(Path("nowhere"), load_manifest("samm"))
    ([], [])
    """
    trees: list[FrameTree] = []
    refused: list[str] = []
    for folder, first in _releases_below(root, manifest):
        parts = [part.lower() for part in (folder.parent.name, *folder.relative_to(root).parts)]
        parts.append(folder.name.lower())
        reasons = [
            f"{folder}: {manifest.other_releases[part]}"
            for part in parts
            if part in manifest.other_releases
        ]
        if reasons:
            refused.append(reasons[0])
        else:
            trees.append(FrameTree(folder, _variant_of(first, manifest)))
    order = list(manifest.variants)
    return sorted(trees, key=lambda tree: (order.index(tree.variant), str(tree.path))), refused


def choose_tree(root: Path, manifest: DatasetManifest, variant: str | None = None) -> FrameTree:
    """Find the one release to read in a folder.

    Parameters
    ----------
    root
        Where to search.
    manifest
        The set's facts.
    variant
        ``"cropped"`` or ``"raw"``; the manifest's first one that is there, by default.

    Returns
    -------
    FrameTree

    Raises
    ------
    InputError
        If no release, or not that variant, is found below ``root``.

    Examples
    --------
    >>> from memaa_lib.datasets.manifests import load_manifest
    >>> choose_tree(Path("nowhere"), load_manifest("samm"))
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: nowhere: no SAMM frames found; expected folders such as...
    """
    if variant is not None and variant not in manifest.variants:
        raise InputError(
            f"variant {variant!r}: {manifest.name} has {', '.join(manifest.variants)}; choose one"
        )
    trees, refused = find_trees(root, manifest)
    if not trees and refused:
        raise InputError(refused[0])
    if not trees:
        raise InputError(
            f"{root}: no {manifest.title.split(' (')[0]} frames found; expected folders such as "
            f"{example_folder(manifest)} at most {LEVELS_TO_SUBJECTS} levels below; name the folder "
            "that the release was unpacked into"
        )
    chosen = [tree for tree in trees if variant in (None, tree.variant)]
    if not chosen:
        there = ", ".join(sorted({tree.variant for tree in trees}))
        raise InputError(f"{root}: no {variant} frames found, only {there}; choose that variant")
    if len(chosen) > 1:
        others = ", ".join(f"{tree.path} ({tree.variant})" for tree in chosen[1:])
        logger.info("%s: reading %s; also there: %s", manifest.name, chosen[0].path, others)
    return chosen[0]


def example_folder(manifest: DatasetManifest) -> str:
    """Return a clip's folder as the release names it, for messages.

    Parameters
    ----------
    manifest
        The set's facts.

    Returns
    -------
    str

    Examples
    --------
    >>> from memaa_lib.datasets.manifests import load_manifest
    >>> example_folder(load_manifest("casme2"))
    'Cropped/sub01/EP02_01f'
    """
    examples = {
        "smic": "s1/micro/negative/s1_ne_01",
        "further": "f1/micro/negative/f1_ne_01",
        "casme2": "sub01/EP02_01f",
        "samm": "006/006_1_2",
    }
    folder = manifest.variants[manifest.twin.default_variant].folder
    subject = manifest.naming.subject_folder.format(1)
    return f"{folder}/{examples.get(manifest.name, f'{subject}/<clip>')}"


def _subfolders(folder: Path) -> list[Path]:
    """Subfolders in order of name; none if the folder cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and entry.name.lower() not in _IGNORED_FOLDERS
                and entry.is_dir()
            ]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def _releases_below(root: Path, manifest: DatasetManifest) -> Iterator[tuple[Path, ClipFolder]]:
    """Folders that hold subjects with clips, each with its first clip; not inside twins."""
    level, searched = [root], 0
    for _ in range(LEVELS_TO_SUBJECTS + 1):
        below: list[Path] = []
        for folder in level:
            searched += 1
            if searched > MAX_FOLDERS:
                return
            first = next(_clips_below(folder, manifest), None)
            if first is not None:
                yield folder, first
                continue
            below += [c for c in _subfolders(folder) if not (c / TRUTH_FOLDER).is_dir()]
        level = below


def _subject_folders(tree: Path, manifest: DatasetManifest) -> Iterator[tuple[Path, str]]:
    for folder in _subfolders(tree):
        subject = manifest.subject_id(folder.name)
        if subject is not None:
            yield folder, subject


def _clips_of(
    folder: Path, subject: str, manifest: DatasetManifest, between: tuple[str, ...] = ()
) -> Iterator[ClipFolder]:
    for child in _subfolders(folder):
        clip = manifest.clip_id(child.name)
        if clip is not None:
            yield ClipFolder(subject, clip, child, between)
        elif len(between) < LEVELS_TO_CLIPS - 1:
            yield from _clips_of(child, subject, manifest, (*between, child.name))


def _clips_below(tree: Path, manifest: DatasetManifest) -> Iterator[ClipFolder]:
    for folder, subject in _subject_folders(tree, manifest):
        yield from _clips_of(folder, subject, manifest)


def _variant_of(clip: ClipFolder, manifest: DatasetManifest) -> str:
    """Tell the released form from the name and, where it is exact, the size of the first frame."""
    scan = scan_frames(clip.path)
    if not scan.frames:
        return manifest.twin.default_variant
    name = next(iter(scan.frames.values()))
    header = image_header(clip.path / name)
    fitting = [
        variant
        for variant, facts in manifest.variants.items()
        if re.fullmatch(facts.frame_pattern, Path(name).stem, re.IGNORECASE)
    ]
    for variant in fitting:
        facts = manifest.variants[variant]
        if not facts.size_is_exact or header is None or header[0] == facts.size:
            return variant
    return fitting[0] if fitting else manifest.twin.default_variant
