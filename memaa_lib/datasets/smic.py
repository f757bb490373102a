"""SMIC: no spreadsheet. The class is in the clip's name, onset and offset are in the listing.

The apex is not annotated. The index leaves ``apex`` empty; ``apex_or_middle`` holds the usual
substitute, the middle of the clip.
"""

from __future__ import annotations

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.layout import ClipFolder
from memaa_lib.datasets.manifests import DatasetManifest
from memaa_lib.datasets.reading import Reading, base_record, open_release
from memaa_lib.datasets.roots import DataRoot


def read(
    manifest: DatasetManifest,
    root: DataRoot,
    variant: str | None = None,
    coding: str | None = None,
) -> Reading:
    """Read a release of SMIC, or of the further identities, which have its layout.

    There is no spreadsheet: one record a clip folder that holds a frame, and no ``coding``.
    """
    if coding is not None:
        raise InputError(f"coding {coding!r}: {manifest.name} has no spreadsheet; leave it out")
    reading = open_release(manifest, root, variant, coding)
    for key, folder in reading.folders.items():
        numbers = list(reading.scans[key].frames)
        label = _label(reading, folder)
        if not numbers:
            reading.add_problem("missing clip", *key, "the folder holds no frame", folder.path)
            continue
        reading.records.append(
            {
                **base_record(reading, *key),
                "onset": numbers[0],
                "apex": None,
                "offset": numbers[-1],
                "apex_or_middle": (numbers[0] + numbers[-1]) // 2,
                "label": label,
                "emotion": label,
                "action_units": "",
                "n_frames": len(numbers),
                "recorded_apex": None,
            }
        )
    _refuse_long_clips(reading)
    _note_missing_clips(reading)
    return reading


def expected_clips(manifest: DatasetManifest) -> list[tuple[str, str]]:
    """List the clips that the release has: they are numbered from 1 within subject and class."""
    infixes = {label: infix for infix, label in manifest.naming.label_infix.items()}
    return [
        (subject, manifest.naming.clip_id.format(int(subject.lstrip("sf")), infixes[label], number))
        for subject, counts in manifest.twin.per_subject.items()
        for label, count in zip(infixes, counts, strict=True)
        for number in range(1, count + 1)
    ]


def _label(reading: Reading, folder: ClipFolder) -> str:
    """Return the class that the clip's name states; a folder that differs is a problem."""
    infix = folder.clip.split("_")[1]
    label = reading.manifest.naming.label_infix[infix]
    stated = [part.lower() for part in folder.between if part.lower() in reading.manifest.label_map]
    if stated and stated[-1] != label:
        reading.add_problem(
            "label mismatch",
            folder.subject,
            folder.clip,
            f"lies in the folder {stated[-1]} but its name says {label}, which counts",
            folder.path,
        )
    return label


def _refuse_long_clips(reading: Reading) -> None:
    """SMIC-E has the same names but long clips, of which the micro-expression is a small part."""
    limit = reading.manifest.longest_clip_frames
    long = [record for record in reading.records if record["n_frames"] > limit]
    if len(long) * 2 > len(reading.records):
        raise InputError(
            f"{reading.tree.path}: most clips have more than {limit} frames, so this is SMIC-E "
            "(long clips); the method needs the short clips, SMIC_all_cropped/HS"
        )
    for record in long:
        message = f"{record['n_frames']} frames; the clips of the release have at most {limit}"
        reading.add_problem(
            "clip too long", record["subject"], record["clip"], message, record["path"]
        )


def _note_missing_clips(reading: Reading) -> None:
    if reading.root.is_twin:
        return  # a twin says itself which clips it has
    for subject, clip in expected_clips(reading.manifest):
        if (subject, clip) not in reading.folders:
            reading.add_problem(
                "missing clip", subject, clip, "no folder for this clip", reading.tree.path
            )
