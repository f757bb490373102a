"""Reading the annotation spreadsheets: values only, header found by search, columns by name."""

from __future__ import annotations

import fnmatch
import logging
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.manifests import Annotation

if TYPE_CHECKING:
    from memaa_lib.datasets.workbook import Sheet

logger = logging.getLogger(__name__)

HEADER_ROWS = 60  # the header is searched for in this many rows
LARGEST = 10**9  # no recording has so many frames
_NEEDED = {"subject", "clip", "onset", "apex", "offset", "emotion"}
_OTHER_FORMATS = (".xls", ".xlsb", ".xlsm", ".ods", ".csv", ".tsv", ".txt")
_LEVELS_BELOW = 2  # folders below the root, and above it, that are searched
_LEVELS_ABOVE = 2


@dataclass(frozen=True)
class Table:
    """Rows of a spreadsheet: each a dict of our column names, with the row's number in the file."""

    path: Path
    rows: list[dict[str, Any]]


def find_annotation_file(
    root: Path, tree: Path, annotation: Annotation, coding: str | None, title: str
) -> tuple[Path, str]:
    """Find the annotation file of a release, and which edition (coding) it is.

    It may lie beside or above ``tree``, the folder of the subject folders. ``coding`` ``None`` takes
    the default edition, else any that is there.
    """
    if coding is not None and coding not in annotation.codings:
        raise InputError(
            f"coding {coding!r}: {title} has {', '.join(annotation.codings)}; choose one"
        )
    files = _spreadsheets(root, tree)
    wanted = [coding] if coding else list(annotation.codings)
    wanted.sort(key=lambda name: name != annotation.default_coding)
    patterns = [(name, pattern) for name in wanted for pattern in annotation.codings[name].files]
    for name, pattern in patterns:
        fitting = [file for file in files if _is_named(file.name, pattern)]
        if fitting:
            _warn_of_others(fitting)
            return fitting[0], name
    # the same table in another format, else any old workbook
    others = [
        *(
            file
            for file in files
            for _, pattern in patterns
            if _is_named(f"{file.stem}.xlsx", pattern)
        ),
        *(file for file in files if file.suffix.lower() == ".xls"),
    ]
    expected = annotation.codings[wanted[0]].written_as
    if others:
        raise InputError(f"{_other_format(others[0])}, named {expected}")
    there = ", ".join(file.name for file in files if file.suffix.lower() == ".xlsx")
    raise InputError(
        f"{root}: no annotation file of {title} found; expected {expected} beside the frames"
        + (f", but there is {there}" if there else "")
    )


def _is_named(name: str, pattern: str) -> bool:
    return fnmatch.fnmatch(name.lower(), pattern.lower())


def _warn_of_others(files: list[Path]) -> None:
    """Say which file is read if files of the same edition differ."""
    try:
        contents = [file.read_bytes() for file in files]
    except OSError:
        return  # said when it is read
    others = [
        str(file) for file, content in zip(files, contents, strict=True) if content != contents[0]
    ]
    if others:
        logger.warning("%s is read, not %s, which differs", files[0], ", ".join(others))


def _other_format(path: Path) -> str:
    kind = (
        "the old .xls format" if path.suffix.lower() == ".xls" else f"{path.suffix or 'a folder'}"
    )
    return f"{path}: {kind} is not read; open it and save it as .xlsx"


def read_table(path: Path | str, annotation: Annotation) -> Table:
    """Read an annotation spreadsheet: every row below the header that is not empty.

    Of several sheets with all columns the one that bears the release's name is read, else the only
    visible one. A merged cell holds for the rows that it spans. Formulas are not evaluated: what
    stands there is what the program that saved the file last had worked out.
    """
    path = Path(path)
    if path.suffix.lower() != ".xlsx":
        raise InputError(_other_format(path))
    from memaa_lib.datasets.workbook import read_sheets

    sheets = read_sheets(path)
    found = [(sheet, *header) for sheet in sheets if (header := _find_header(sheet, annotation))]
    if not found:
        raise InputError(
            f"{path}: no header found; expected a row with a cell {annotation.header_cell!r} among "
            f"the first {HEADER_ROWS}"
        )
    whole = [(sheet, row, columns) for sheet, row, columns in found if set(columns) >= _NEEDED]
    if not whole:
        sheet, row, columns = found[0]
        names = ", ".join(annotation.columns[name][0] for name in sorted(_NEEDED - set(columns)))
        raise InputError(
            f"{path}: row {row} is the header but has no column {names}; restore the column's name"
        )
    named = [entry for entry in whole if _normal(entry[0].name) == _normal(annotation.sheet)]
    visible = [entry for entry in whole if not entry[0].hidden]
    chosen = [entry for entry in named if entry in visible] or visible or named or whole
    others = ", ".join(repr(entry[0].name) for entry in whole if entry is not chosen[0])
    if len(chosen) > 1:
        raise InputError(
            f"{path}: the sheets {chosen[0][0].name!r}, {others} all hold such a table; keep the one "
            f"that counts, or name it {annotation.sheet!r}"
        )
    sheet, row, columns = chosen[0]
    if others:
        logger.warning("%s: the sheet %r is read, not %s", path, sheet.name, others)
    _refuse_repeated(path, sheet, row, columns)
    return Table(path, _rows(sheet, row, columns))


def whole_number(value: object) -> int | None:
    """Return a cell's whole number, or ``None`` if it holds none.

    Text with a decimal sign is a whole number where it cannot be taken for thousands.

    Examples
    --------
    >>> whole_number(46.0), whole_number(" 46 "), whole_number("46,0"), whole_number("/")
    (46, 46, 46, None)
    >>> whole_number(4.5), whole_number("1,234"), whole_number("46.000")
    (None, None, None)
    """
    if isinstance(value, bool):  # an int to Python
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, int):
        return value if abs(value) < LARGEST else None
    number = re.fullmatch(r"([0-9]{1,9})([.,]0{1,2})?", cell_text(value))
    return int(number[1]) if number else None


def cell_text(value: object) -> str:
    """Return a cell's text as one sees it; a whole number as its digits.

    Blanks around it and characters without a shape go, and wide letters become plain ones.

    Examples
    --------
    >>> cell_text("12+15 "), cell_text(4), cell_text(4.0), cell_text(None), cell_text("\uff14\u200e")
    ('12+15', '4', '4', '', '4')
    """
    if value is None:
        return ""
    number = whole_number(value) if isinstance(value, float) else None
    text = unicodedata.normalize("NFKC", str(value if number is None else number))
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf").strip()


def _spreadsheets(root: Path, tree: Path) -> list[Path]:
    """Tables of any format in ``root``, in folders below it down to the tree, and just above ``root``."""
    folders = [root]
    level = [] if root == tree else [root]
    for _ in range(_LEVELS_BELOW):
        level = [
            Path(entry.path)
            for folder in level
            for entry in _entries(folder)
            if entry.is_dir() and not entry.name.startswith(".") and Path(entry.path) != tree
        ]
        folders += level
    between = [folder for folder in tree.parents if root in folder.parents]
    folders += [tree, *between, *root.absolute().parents[:_LEVELS_ABOVE]]
    found: dict[Path, None] = {}
    for folder in folders:
        for entry in _entries(folder):
            name = entry.name.lower()
            if name.endswith((".xlsx", *_OTHER_FORMATS)) and not name.startswith((".", "~$")):
                found.setdefault(Path(entry.path))
    return list(found)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _normal(name: object) -> str:
    """Return the letters and digits of a column's or sheet's name, without case."""
    return "".join(letter for letter in cell_text(name) if letter.isalnum()).lower()


def _find_header(sheet: Sheet, annotation: Annotation) -> tuple[int, dict[str, int]] | None:
    """Return the row of the header, and our column names -> its columns."""
    found: list[tuple[int, dict[str, int]]] = []
    for row in (row for row in sheet.rows if row <= HEADER_ROWS):
        names = _names_in(sheet, row)
        if _normal(annotation.header_cell) not in names:
            continue
        columns = {
            ours: names[spelled]
            for ours, spellings in annotation.columns.items()
            if (spelled := next((s for s in map(_normal, spellings) if s in names), None))
        }
        if "clip" in columns or len(columns) > 2:
            found.append((row, columns))
    # a small summary may stand above the table
    return max(found, key=lambda header: len(header[1]), default=None)


def _names_in(sheet: Sheet, row: int) -> dict[str, int]:
    """Return what stands in a row, with the first column of each."""
    columns = {*sheet.rows[row], *(column for held, column in sheet.held if held == row)}
    names: dict[str, int] = {}
    for column in sorted(columns):
        names.setdefault(_normal(sheet.value(row, column)), column)
    return names


def _refuse_repeated(path: Path, sheet: Sheet, row: int, columns: dict[str, int]) -> None:
    """Refuse two columns of one name: nobody can tell which is meant."""
    for column in columns.values():
        name = _normal(sheet.value(row, column))
        if [_normal(value) for value in sheet.rows[row].values()].count(name) > 1:
            raise InputError(
                f"{path}: row {row} names two columns {cell_text(sheet.value(row, column))!r}; rename "
                "the one that does not count"
            )


def _rows(sheet: Sheet, header: int, columns: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {"row": row, **{name: sheet.value(row, column) for name, column in columns.items()}}
        for row, cells in sorted(sheet.rows.items())
        if row > header and not cells.keys().isdisjoint(columns.values())
    ]
