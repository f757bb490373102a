"""Writing a twin's annotation spreadsheet, with the quirks of the real one.

CASME II: subject as text, two columns without header, one apex ``/``, action units partly numbers,
partly text. SAMM: 13 rows above the header, durations as formulas without values, capitalised
emotions.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl

from memaa_lib._support.cache import atomic_path
from memaa_lib.datasets.manifests import Annotation, Coding, DatasetManifest
from memaa_lib.datasets.twins.contents import PlannedClip

_UNITS_OF_EMOTION = {  # for clips that are annotated but not rendered
    "anger": "4+7",
    "contempt": "14",
    "disgust": "4+9",
    "fear": "1+2+4+20",
    "happiness": "6+12",
    "others": "4",
    "other": "4",
    "repression": "14+24",
    "sadness": "1+4+15",
    "surprise": "1+2+5",
}
_OBJECTIVE_CLASS = {  # for the column of that name, in SAMM and the later edition of CASME II
    "happiness": 1,
    "surprise": 2,
    "anger": 3,
    "disgust": 4,
    "sadness": 5,
    "fear": 6,
}
_OTHER_CLASS = 7
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP archive can state


def write_spreadsheets(
    root: Path,
    manifest: DatasetManifest,
    planned: list[PlannedClip],
    units: dict[str, tuple[str, ...]],
    *,
    defects: bool,
) -> list[Path]:
    """Write all editions of the annotation file; none for a set that has none.

    ``units`` maps ``subject/clip`` to the action units that move there, e.g. ``AU4L``. With
    ``defects`` the apexes that the real file has wrong are wrong here too.
    """
    if manifest.annotation is None:
        return []
    files = []
    for edition, coding in manifest.annotation.codings.items():
        path = root / coding.written_as
        content = _workbook(manifest, manifest.annotation, edition, coding, planned, units, defects)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
        files.append(path)
    return files


def unit_text(names: tuple[str, ...], emotion: str) -> str:
    """Return action units as the spreadsheets write them: ``4+L10``.

    A unit with both sides is written without a side. The emotion stands in where no unit is named.

    Examples
    --------
    >>> unit_text(("AU4L", "AU4R", "AU10L", "AU17"), "disgust")
    '4+L10+17'
    """
    sides: dict[int, set[str]] = {}
    for name in names:
        match = re.fullmatch(r"AU(\d+)([LR]?)", name)
        if match is not None:
            sides.setdefault(int(match.group(1)), set()).add(match.group(2))
    sides.pop(45, None)  # blinks are not coded
    if not sides:
        return _UNITS_OF_EMOTION.get(emotion, "?")
    return "+".join(
        f"{min(sides[unit]) if len(sides[unit]) == 1 else ''}{unit}" for unit in sorted(sides)
    )


def _workbook(
    manifest: DatasetManifest,
    annotation: Annotation,
    edition: str,
    coding: Coding,
    planned: list[PlannedClip],
    units: dict[str, tuple[str, ...]],
    defects: bool,
) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = annotation.sheet
    sheet["A1"] = f"Synthetic twin of {manifest.title}: rendered faces, invented annotation"
    if not annotation.preamble_rows:
        del sheet["A1"]  # the header is the first row here
    for number, name in enumerate(coding.header, start=1):
        sheet.cell(annotation.preamble_rows + 1, number, name)
    wrong = {(o.subject, o.clip): o.recorded for o in manifest.apex_overrides} if defects else {}
    for row, clip in enumerate(planned, start=annotation.preamble_rows + 2):
        emotion = dict(clip.emotion_by_coding).get(edition, clip.emotion)
        apex = wrong.get((clip.subject, clip.clip), clip.written_apex)
        text = unit_text(units.get(clip.key, ()), clip.emotion)
        cells: dict[str, Any] = {
            "Subject": "".join(c for c in clip.subject if c.isdigit()),
            "Filename": clip.clip,
            "OnsetFrame": clip.onset,
            "Onset Frame": clip.onset,
            "ApexFrame": "/" if apex is None else apex,
            "Apex Frame": "/" if apex is None else apex,
            "OffsetFrame": clip.offset,
            "Offset Frame": clip.offset,
            "Duration": f"=SUM(F{row}-D{row})+1",
            "Micro": "Micro - 1/2",
            "Action Units": int(text) if text.isdigit() else text,
            "Estimated Emotion": emotion.capitalize() if annotation.preamble_rows else emotion,
            "Objective Classes": _OBJECTIVE_CLASS.get(emotion, _OTHER_CLASS),
            "Inducement Code": int(clip.clip.split("_")[1]) if annotation.preamble_rows else None,
        }
        for number, name in enumerate(coding.header, start=1):
            if name in cells:
                sheet.cell(row, number, cells[name])
    return _same_bytes(book)


def _same_bytes(book: openpyxl.Workbook) -> bytes:
    """Return the workbook as bytes without the time of writing."""
    first, second = io.BytesIO(), io.BytesIO()
    book.save(first)
    with (
        zipfile.ZipFile(first) as written,
        zipfile.ZipFile(second, "w", zipfile.ZIP_DEFLATED) as fixed,
    ):
        for name in written.namelist():
            content = written.read(name)
            if name == "docProps/core.xml":
                content = re.sub(
                    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2019-01-01T00:00:00Z", content
                )
            entry = zipfile.ZipInfo(name, _FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            fixed.writestr(entry, content)
    return second.getvalue()
