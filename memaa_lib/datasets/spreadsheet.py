"""Reading the annotation spreadsheets: values only, header found by search, columns by name."""

from __future__ import annotations

import fnmatch
import io
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.manifests import Annotation

HEADER_ROWS = 60  # the header is searched for in this many rows
MAX_ROWS = 20_000
MAX_BYTES = 200_000_000  # of an unpacked spreadsheet
LARGEST = 10**9  # no recording has so many frames
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
    for name in wanted:
        for pattern in annotation.codings[name].files:
            for file in files:
                if fnmatch.fnmatch(file.name.lower(), pattern.lower()):
                    return file, name
    old = [file for file in files if file.suffix.lower() == ".xls"]
    if old:
        raise InputError(
            f"{old[0]}: the old .xls format is not read; open it and save it as .xlsx, named "
            f"{annotation.codings[wanted[0]].written_as}"
        )
    raise InputError(
        f"{root}: no annotation file of {title} found; expected "
        f"{annotation.codings[wanted[0]].written_as} beside the frames"
    )


def read_table(path: Path | str, annotation: Annotation) -> Table:
    """Read an annotation spreadsheet: every row below the header that has a subject and a clip.

    Formulas are not evaluated and need no cached value: no column that is read holds one.
    """
    path = Path(path)
    if path.suffix.lower() == ".xls":
        raise InputError(f"{path}: the old .xls format is not read; open it and save it as .xlsx")
    sheets = _sheet_values(path)
    for values in sheets.values():
        header = _find_header(values, annotation)
        if header is None:
            continue
        position, columns = header
        missing = {"subject", "clip", "onset", "apex", "offset", "emotion"} - set(columns)
        if missing:
            names = ", ".join(annotation.columns[name][0] for name in sorted(missing))
            raise InputError(
                f"{path}: row {position + 1} is the header but has no column {names}; "
                "restore the column's name"
            )
        return Table(path, _rows(values, position, columns))
    raise InputError(
        f"{path}: no header found; expected a row with a cell {annotation.header_cell!r} among the "
        f"first {HEADER_ROWS}"
    )


def whole_number(value: object) -> int | None:
    """Return a cell's whole number, or ``None`` if it holds none.

    Examples
    --------
    >>> whole_number(46.0), whole_number(" 46 "), whole_number("/"), whole_number(4.5)
    (46, 46, None, None)
    """
    if isinstance(value, bool):  # an int to Python
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, int):
        return value if abs(value) < LARGEST else None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def cell_text(value: object) -> str:
    """Return a cell's text, without blanks around it; a whole number as its digits.

    Examples
    --------
    >>> cell_text("12+15 "), cell_text(4), cell_text(4.0), cell_text(None)
    ('12+15', '4', '4', '')
    """
    if value is None:
        return ""
    number = whole_number(value) if isinstance(value, float) else None
    return str(value if number is None else number).strip()


def _spreadsheets(root: Path, tree: Path) -> list[Path]:
    """Spreadsheets in ``root``, in folders below it down to the tree, and just above ``root``."""
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
            if name.endswith((".xlsx", ".xls")) and not name.startswith((".", "~$")):
                found.setdefault(Path(entry.path))
    return list(found)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _sheet_values(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Values of all sheets of a workbook."""
    problem = f"{path}: not a readable .xlsx spreadsheet; get it again or save it anew as .xlsx"
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise InputError(problem) from None
    if unpacked > MAX_BYTES:
        raise InputError(
            f"{path}: {unpacked:,} bytes when unpacked, expected at most {MAX_BYTES:,}; get it again"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions it leaves out
            contents = io.BytesIO(path.read_bytes())  # openpyxl leaves a damaged file open
            book = openpyxl.load_workbook(contents, read_only=True, data_only=True)
            try:
                return {
                    sheet.title: [
                        tuple(row) for row in sheet.iter_rows(max_row=MAX_ROWS, values_only=True)
                    ]
                    for sheet in book.worksheets
                }
            finally:
                book.close()
    except (
        zipfile.BadZipFile, zlib.error, EOFError, KeyError, IndexError, AttributeError, OSError,
        ValueError, SyntaxError, TypeError, NotImplementedError, OverflowError,
    ) as error:  # fmt: skip
        raise InputError(f"{problem} ({type(error).__name__})") from None


def _normal(name: object) -> str:
    """Return a column's name without blanks and case."""
    return "".join(str(name).split()).lower()


def _find_header(
    values: list[tuple[Any, ...]], annotation: Annotation
) -> tuple[int, dict[str, int]] | None:
    """Position of the header row, and our column names -> positions in it."""
    for position, row in enumerate(values[:HEADER_ROWS]):
        names = [_normal(cell) if cell is not None else "" for cell in row]
        if _normal(annotation.header_cell) not in names:
            continue
        columns = {}
        for ours, spellings in annotation.columns.items():
            index = _first_index(names, (_normal(spelling) for spelling in spellings))
            if index is not None:
                columns[ours] = index
        if "clip" in columns or len(columns) > 2:
            return position, columns
    return None


def _first_index(names: list[str], spellings: Iterable[str]) -> int | None:
    return next((names.index(spelling) for spelling in spellings if spelling in names), None)


def _rows(
    values: list[tuple[Any, ...]], header: int, columns: dict[str, int]
) -> list[dict[str, Any]]:
    rows = []
    for number, row in enumerate(values[header + 1 :], start=header + 2):
        cells = {name: row[i] if i < len(row) else None for name, i in columns.items()}
        if cell_text(cells["subject"]) and cell_text(cells["clip"]):
            rows.append({"row": number, **cells})
    return rows
