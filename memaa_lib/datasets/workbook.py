"""Reading a workbook: what stands in its cells, whatever program wrote it.

It is imported where a workbook is read, since openpyxl takes long to load.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet._reader import FORMULA_TAG, MERGE_TAG, ROW_TAG, WorkSheetParser
from openpyxl.worksheet.merge import MergeCells
from openpyxl.xml.functions import iterparse

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.spreadsheet import cell_text

NOT_WORKED_OUT = "(a formula without its value)"
MAX_BYTES = 200_000_000  # of an unpacked workbook
_OLE = b"\xd0\xcf\x11\xe0"  # how .xls files begin, and encrypted ones of any format
_STRICT = (
    b"http://purl.oclc.org/ooxml/"  # names the elements of a dialect that openpyxl cannot read
)


@dataclass(frozen=True)
class Sheet:
    """What stands in a sheet: row number to column number to value; both count from 1."""

    name: str
    hidden: bool
    rows: dict[int, dict[int, Any]]
    held: dict[tuple[int, int], Any]  # (row, column) below the top of a merged cell to its value

    def value(self, row: int, column: int) -> Any:
        """Return a cell's value, its own or that of the merged cell that it belongs to."""
        return self.rows[row].get(column, self.held.get((row, column)))


class _StoredCells(WorkSheetParser):  # type: ignore[misc]  # openpyxl states no types
    """Cells as they are stored. No number becomes a date, as it does in openpyxl's own sheets."""

    def parse(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield rows and note merged cells; what else a sheet says may be odd and is passed over."""
        for _, element in iterparse(self.source):
            if element.tag == ROW_TAG:
                yield self.parse_row(element)
                element.clear()
            elif element.tag == MERGE_TAG:
                self.merged_cells = MergeCells.from_tree(element)

    def parse_cell(self, element: Any) -> dict[str, Any]:
        """Return a cell; a formula that no program has worked out yet is not taken for empty."""
        cell: dict[str, Any] = super().parse_cell(element)
        is_formula = element.find(FORMULA_TAG) is not None
        if is_formula and cell["value"] is None and element.get("t") != "str":  # of an empty text
            cell["value"] = NOT_WORKED_OUT
        return cell


def read_sheets(path: Path) -> list[Sheet]:
    """Read all sheets of a workbook that hold cells; charts are passed over."""
    problem = f"{path}: not a readable .xlsx spreadsheet; get it again or save it anew as .xlsx"
    try:
        contents = path.read_bytes()  # from memory, since openpyxl leaves a damaged file open
    except PermissionError:
        raise InputError(
            f"{path}: may not be read; close it in other programs, or allow reading it"
        ) from None
    except OSError:
        raise InputError(problem) from None
    if contents.startswith(_OLE):
        raise InputError(
            f"{path}: protected with a password, or an old .xls under another name; open it and "
            "save it as .xlsx without a password"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise InputError(problem) from None
    if unpacked > MAX_BYTES:
        raise InputError(
            f"{path}: {unpacked:,} bytes when unpacked, expected at most {MAX_BYTES:,}; get it again"
        )
    if _is_strict(contents):
        raise InputError(
            f"{path}: a strict Open XML spreadsheet; save it as an ordinary .xlsx workbook"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions it leaves out
            return _parsed(contents)
    except (
        zipfile.BadZipFile, zlib.error, EOFError, KeyError, IndexError, AttributeError, OSError,
        ValueError, SyntaxError, TypeError, RuntimeError, OverflowError,
    ) as error:  # fmt: skip
        raise InputError(f"{problem} ({type(error).__name__})") from None


def _parsed(contents: bytes) -> list[Sheet]:
    """Read the sheets of a workbook that is whole."""
    # Only what is needed: styles, charts, pivot tables and the size that a sheet states of itself
    # are often odd in files that other programs wrote, and load_workbook stumbles over them.
    reader = ExcelReader(io.BytesIO(contents), read_only=True, data_only=True, keep_links=False)
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    sheets = []
    for sheet, part in reader.parser.find_sheets():
        if not part.Type.endswith("/worksheet"):
            continue
        with reader.archive.open(part.target) as source:
            parser = _StoredCells(source, reader.shared_strings, data_only=True)
            rows: dict[int, dict[int, Any]] = {}
            for number, cells in parser.parse():
                values = {c["column"]: c["value"] for c in cells if cell_text(c["value"])}
                if values:
                    rows[number] = values
        held = {
            (row, area.min_col): rows[area.min_row][area.min_col]
            for area in (parser.merged_cells.mergeCell if parser.merged_cells else ())
            if area.min_col in rows.get(area.min_row, {})
            for row in rows
            if area.min_row < row <= area.max_row
        }
        sheets.append(Sheet(sheet.name, sheet.state != "visible", rows, held))
    return sheets


def _is_strict(contents: bytes) -> bool:
    """Whether a workbook is of the dialect that openpyxl takes for one without cells."""
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            return _STRICT in archive.read("xl/workbook.xml")
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError):
        return False
