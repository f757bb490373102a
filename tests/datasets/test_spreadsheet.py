"""Annotation tables as spreadsheet programs and their users leave them."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memaa_lib._support.errors import InputError
from memaa_lib.datasets import check, load_index
from memaa_lib.datasets.manifests import load_manifest
from memaa_lib.datasets.spreadsheet import (
    LARGEST,
    cell_text,
    find_annotation_file,
    read_table,
    whole_number,
)
from tests.fake_releases import CASME2_HEADER, CASME2_ROWS, casme2_cells, no_roots, trees

__all__ = ["no_roots", "trees"]

NAME = "CASME2-coding-20140508.xlsx"
ANNOTATION = load_manifest("casme2").annotation
CELLS = [CASME2_HEADER, *casme2_cells()]
USUAL = [(row[0], row[1], row[3], row[5]) for row in casme2_cells()]


def filled(sheet, rows=CELLS, first=1):
    """Put rows into a sheet."""
    for number, cells in enumerate(rows, start=first):
        for column, value in enumerate(cells, start=1):
            sheet.cell(number, column).value = value


def usual_book() -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.active.title = "Sheet1"
    filled(book.active)
    return book


def saved(book: openpyxl.Workbook, folder: Path, change: Callable[[str], str] = str) -> Path:
    """Save a workbook, the text of each of its parts changed as another program would write it."""
    plain = io.BytesIO()
    book.save(plain)
    path = folder / NAME
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for part in old.namelist():
            new.writestr(part, change(old.read(part).decode()))
    return path


def rows_of(path: Path) -> list[tuple]:
    keys = ("subject", "clip", "onset", "offset")
    return [tuple(row[key] for key in keys) for row in read_table(path, ANNOTATION).rows]


# ------------------------------------------------------------------ what the file says of itself
@pytest.mark.parametrize(
    "stated",
    ["", *(f'<dimension ref="{r}" />' for r in ("A1", "A1:A1", "B2:C3", "A1:XFD1048576", "", "A0:"))],
)  # fmt: skip
def test_the_size_that_a_sheet_states_does_not_matter(tmp_path, stated):
    def change(text):
        return re.sub("<dimension [^>]*>", stated, text)

    assert rows_of(saved(usual_book(), tmp_path, change)) == USUAL


ODD = """</sheetData>
<autoFilter ref="A1:I9"><filterColumn colId="0"><filters><filter val="x"/></filters></filterColumn></autoFilter>
<conditionalFormatting sqref="A1"><cfRule type="weird" priority="x"/></conditionalFormatting>
<dataValidations count="1"><dataValidation type="odd" sqref="A1 B2"/></dataValidations>"""

NOWHERE = '<definedName name="_xlnm.Print_Area" localSheetId="7">#REF!</definedName>'


def prefixed(text):
    """As Microsoft's own library for programs writes it: every element with a prefix."""
    if "<worksheet" not in text:
        return text
    return re.sub(r"<(/?)(\w)", r"<\1x:\2", text).replace("xmlns=", "xmlns:x=")


@pytest.mark.parametrize(
    "change",
    [
        prefixed,
        lambda text: text.replace("</sheetData>", ODD),
        lambda text: text.replace("<pageMargins", "<pageMargins odd='1'"),
        lambda text: text.replace('Target="worksheets/', 'Target="/xl/worksheets/'),
        lambda text: text.replace("<calcPr", f"<definedNames>{NOWHERE}</definedNames><calcPr"),
        lambda text: re.sub(r'(<(?:row|c)) r="[A-Z0-9]+"', r"\1", text),
        lambda text: re.sub('(<row [^>]*)spans="[^"]*"', r'\1spans="1:1"', text),
        lambda text: text.replace("<sheetView ", '<sheetView rightToLeft="1" '),
        lambda text: re.sub("<cellXfs .*</cellXfs>", "<cellXfs/>", text),
        lambda text: re.sub("<dcterms:created.*</dcterms:created>", "<x>yesterday</x>", text),
    ],
    ids=[
        "prefixes",
        "odd rules",
        "odd margins",
        "full paths",
        "names of no sheet",
        "cells without places",
        "wrong spans",
        "right to left",
        "no styles",
        "odd properties",
    ],
)
def test_what_is_odd_beside_the_cells_does_not_matter(tmp_path, change):
    book = usual_book()
    filled(book.active, [[*row, None, "x"] for row in CELLS])  # no gap but those of the header
    for cells in book.active.iter_rows(max_col=9):
        for cell in cells:
            cell.value = "-" if cell.value is None else cell.value
    assert rows_of(saved(book, tmp_path, change)) == USUAL


def shared(path: Path) -> Path:
    """Write a workbook's text as Excel does: in a table of its own, in parts of several formats."""
    texts: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        texts.append(match[1])
        return f't="s"><v>{len(texts) - 1}</v>'

    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name).decode() for name in old.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = re.sub(r't="inlineStr"><is><t[^>]*>([^<]*)</t></is>', numbered, parts[sheet])
    phonetic = '<rPh sb="0" eb="1"><t>ka</t></rPh>'
    items = "".join(
        f"<si><r><t>{t[:1]}</t></r><r><rPr><b/></rPr><t>{t[1:]}</t></r>{phonetic}</si>"
        for t in texts
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{items}</sst>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(
        "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    )
    with zipfile.ZipFile(path, "w") as new:
        for name, text in parts.items():
            new.writestr(name, text)
    return path


def test_text_in_a_table_of_its_own_is_read(tmp_path):
    path = shared(saved(usual_book(), tmp_path))
    assert rows_of(path) == USUAL
    assert "inlineStr" not in zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode()


def test_a_formatted_cell_far_away_costs_nothing(tmp_path):
    book = usual_book()
    book.active.cell(1_048_576, 16_384).number_format = "0.00"
    book.active.row_dimensions[900_000].hidden = True
    assert rows_of(saved(book, tmp_path)) == USUAL


# ------------------------------------------------------------------ rows
def test_merged_cells_hold_for_the_rows_below(tmp_path):
    book = usual_book()
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("I5:I6")
    book.active.merge_cells("A12:I12")
    assert book.active["A3"].value is None
    rows = read_table(saved(book, tmp_path), ANNOTATION).rows
    assert [row["subject"] for row in rows] == [row[0] for row in USUAL]
    assert [row["emotion"] for row in rows] == [row[6] for row in CASME2_ROWS]


def test_a_header_of_two_rows(tmp_path):
    book = openpyxl.Workbook()
    above = ("Subject", "Filename", None, "Frames", None, None, None, "Action Units", "Emotion")
    below = (None, None, None, "Onset", "Apex", "Offset")
    filled(book.active, [above, below, *casme2_cells()])
    for area in ("A1:A2", "B1:B2", "D1:F1", "H1:H2", "I1:I2"):
        book.active.merge_cells(area)
    assert rows_of(saved(book, tmp_path)) == USUAL


def test_a_merged_cell_that_spans_empty_rows_makes_no_clips_of_them(tmp_path):
    book = usual_book()
    last = len(CELLS)
    book.active.merge_cells(start_row=last, end_row=last + 40, start_column=1, end_column=1)
    book.active.cell(last + 60, 11).value = "a note beside the table"
    book.active.cell(last + 61, 4).value = "  "
    assert rows_of(saved(book, tmp_path)) == USUAL


@pytest.mark.parametrize("blank", [None, "", " ", "\u00a0", "\u200b"])
@pytest.mark.parametrize("column", ["A", "B"])
def test_a_row_without_subject_or_clip_is_named(trees, tmp_path, caplog, column, blank):
    root = trees.casme2(tmp_path / "r")
    book = usual_book()
    book.active[f"{column}3"].value = blank
    saved(book, root)
    index = load_index("casme2", root, "all")
    assert len(index) == len(USUAL) - 1
    assert "1 x bad row, e.g. row 3: " in caplog.text
    named = [p.message for p in check("casme2", root).problems if p.kind == "bad row"]
    assert len(named) == 1 and "(empty)" in named[0]


# ------------------------------------------------------------------ sheets
def summary(sheet) -> None:
    filled(sheet, [("Subject", "Filename", "Clips"), ("01", "EP02_01f", 1), ("02", "EP02_01f", 1)])


def chart(book: openpyxl.Workbook) -> None:
    book.create_chartsheet("Chart", 0)


def another(fill: Callable, title: str = "Overview", state: str = "visible", place: int = 0):
    def put(book: openpyxl.Workbook) -> None:
        sheet = book.create_sheet(title, place)
        fill(sheet)
        sheet.sheet_state = state

    return put


def old_edition(sheet) -> None:
    filled(sheet, [CASME2_HEADER, *casme2_cells(CASME2_ROWS[:2])])


def own_name(book: openpyxl.Workbook) -> None:
    book["Sheet1"].title = "Coding"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([chart], ""),
        ([another(summary)], ""),
        ([another(lambda sheet: None)], ""),
        ([own_name, another(summary), chart], ""),
        ([another(old_edition)], "the sheet 'Sheet1' is read, not 'Overview'"),
        ([another(old_edition, place=5)], "the sheet 'Sheet1' is read, not 'Overview'"),
        ([own_name, another(old_edition, state="hidden")], "'Coding' is read, not 'Overview'"),
        ([own_name, another(old_edition, state="veryHidden")], "'Coding' is read, not 'Overview'"),
        ([own_name, another(old_edition, "Sheet1", "hidden")], "'Coding' is read, not 'Sheet1'"),
    ],
)
def test_the_right_sheet_is_read(tmp_path, caplog, changes, said):
    book = usual_book()
    for change in changes:
        change(book)
    assert rows_of(saved(book, tmp_path)) == USUAL
    assert said in caplog.text
    assert bool(said) == bool(caplog.records)


def test_a_table_on_a_hidden_sheet_alone_is_read(tmp_path):
    book = usual_book()
    another(summary)(book)
    book["Sheet1"].sheet_state = "hidden"
    assert rows_of(saved(book, tmp_path)) == USUAL


def test_two_sheets_that_might_be_meant_are_refused(tmp_path):
    book = usual_book()
    own_name(book)
    another(old_edition)(book)
    path = saved(book, tmp_path)
    with pytest.raises(InputError, match=r"'Overview', 'Coding' all hold .* name it 'Sheet1'"):
        read_table(path, ANNOTATION)


def test_a_summary_above_the_table_is_passed_over(tmp_path):
    book = openpyxl.Workbook()
    summary(book.active)
    filled(book.active, CELLS, first=6)
    assert rows_of(saved(book, tmp_path)) == USUAL


def test_two_columns_of_one_name_are_refused(tmp_path):
    book = usual_book()
    book.active["K1"].value = "Onset frame"
    path = saved(book, tmp_path)
    with pytest.raises(InputError, match="row 1 names two columns 'OnsetFrame'; rename"):
        read_table(path, ANNOTATION)


@pytest.mark.parametrize(
    "name",
    ["OnsetFrame ", "Onset\nFrame", "Onset\u00a0Frame", "onset_frame", "ONSET FRAME:", "\u200eOnsetFrame",
     "\uff2f\uff4e\uff53\uff45\uff54Frame"],
)  # fmt: skip
def test_a_header_is_known_whatever_stands_around_its_letters(tmp_path, name):
    book = usual_book()
    book.active["D1"].value = name
    assert rows_of(saved(book, tmp_path)) == USUAL


# ------------------------------------------------------------------ numbers
@pytest.mark.parametrize(
    "number_format",
    ["yyyy-mm-dd", "d/m/yy h:mm", "h:mm:ss", "[h]:mm", "mmm-yy", "0%", "#,##0.00 €", "0.00E+00", "@", "000"],
)  # fmt: skip
def test_a_number_stays_one_whatever_its_format(tmp_path, number_format):
    book = usual_book()
    numbers = [*range(1, 70), 366, 73_050, 17_581_039]  # 60: 29 February 1900, which never was
    cells = [("01", f"EP01_{n % 100}", None, n, n, n, None, 4, "others") for n in numbers]
    filled(book.active, cells, first=2)
    for column in "ADEF":
        for cell in book.active[column]:
            cell.number_format = number_format
    rows = read_table(saved(book, tmp_path), ANNOTATION).rows
    assert [row["onset"] for row in rows] == numbers


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("46", 46), ("46.0", 46), ("46,0", 46), ("46.00", 46), (" 46 ", 46), ("\u00a046\u00a0", 46),
        ("46\u200b", 46), ("\uff14\uff16", 46), ("046", 46), (46, 46), (46.0, 46), ("46\n", 46),
        ("1,234", None), ("1.234", None), ("46.000", None), ("46.5", None), (46.5, None),
        ("4 6", None), ("46%", None), ("$46", None), ("1e3", None), ("#REF!", None), ("", None),
        (None, None), (True, None), (float("nan"), None), (float("inf"), None), ("0x2e", None),
    ],
)  # fmt: skip
def test_whole_numbers(value, number):
    assert whole_number(value) == number


@given(st.integers(0, LARGEST - 1), st.sampled_from(["", " ", "\u00a0", "\u200f", "\t"]))
def test_every_number_is_read_as_text_too(number, blank):
    wide = str(number).translate({48 + digit: 0xFF10 + digit for digit in range(10)})
    for text in (str(number), f"{number}.0", f"{number},00", wide):
        assert whole_number(f"{blank}{text}{blank}") == number


@given(st.one_of(st.text(), st.floats(), st.booleans(), st.none(), st.dates(), st.integers()))
def test_no_cell_stops_the_reading(value):
    assert isinstance(cell_text(value), str)
    number = whole_number(value)
    assert number is None or abs(number) < LARGEST


@pytest.mark.parametrize(
    ("cell", "value", "said"),
    [
        ("D3", "=C3+1", "onset '(a formula without its value)', offset 103"),
        ("A3", "=A2", "'(a formula without its value)', 'EP19_05f' is no subject"),
        ("B3", "=X1", "is no subject and clip"),
        ("E3", "=D3+2", "apex '(a formula without its value)' is no frame number"),
        ("D3", True, "onset True"),
        ("D3", "#REF!", "onset '#REF!'"),
        ("D3", "1,234", "onset '1,234'"),
        ("F3", None, "offset (empty)"),
    ],
)
def test_a_cell_that_is_no_number_is_named_with_its_row(trees, tmp_path, cell, value, said):
    root = trees.casme2(tmp_path / "r")
    book = usual_book()
    book.active[cell].value = value
    saved(book, root)
    (problem,) = [p for p in check("casme2", root).problems if p.kind == "bad row"]
    assert problem.message.startswith("row 3: ") and said in problem.message


def test_a_table_of_formulas_that_nobody_worked_out_is_not_empty(trees, tmp_path, caplog):
    root = trees.casme2(tmp_path / "r")
    book = usual_book()
    for cells in book.active.iter_rows(min_row=2):
        for cell in cells:
            cell.value = f"=Other!{cell.coordinate}"
    saved(book, root)
    assert load_index("casme2", root).empty
    assert "9 x bad row, e.g. row 2: '(a formula without its value)'" in caplog.text


def test_formulas_count_as_what_they_were_worked_out_to(tmp_path):
    book = usual_book()
    book.active["D3"].value = "=90+8"
    path = saved(
        book,
        tmp_path,
        lambda text: text.replace("<v></v>", "<v>98</v>").replace("<v />", "<v>98</v>"),
    )
    assert rows_of(path) == USUAL


def test_dates_that_are_stored_as_dates_are_called_so(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")

    def change(text):
        return re.sub(
            r'<c r="D3"[^>]*><v>98</v></c>', '<c r="D3" t="d"><v>1900-04-07</v></c>', text
        )

    saved(usual_book(), root, change)
    (problem,) = [p for p in check("casme2", root).problems if p.kind == "bad row"]
    assert "onset 1900-04-07 (a date or time), offset 103" in problem.message


# ------------------------------------------------------------------ files
def test_protected_workbooks_are_called_so(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(InputError, match=r"protected with a password, or an old \.xls"):
        read_table(path, ANNOTATION)


def test_strict_workbooks_are_called_so(tmp_path):
    def change(text):
        return re.sub(
            "http://schemas.openxmlformats.org/(spreadsheetml|officeDocument)/2006/",
            r"http://purl.oclc.org/ooxml/\1/",
            text,
        )

    path = saved(usual_book(), tmp_path, change)
    with pytest.raises(InputError, match=r"a strict Open XML spreadsheet; save it as an ordinary"):
        read_table(path, ANNOTATION)


def test_a_workbook_that_may_not_be_read_is_called_so(tmp_path, monkeypatch):
    path = saved(usual_book(), tmp_path)
    monkeypatch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(PermissionError()))
    with pytest.raises(InputError, match="may not be read; close it in other programs"):
        read_table(path, ANNOTATION)


@pytest.mark.parametrize("suffix", [".xls", ".ods", ".csv", ".xlsm", ".xlsb", ".CSV", ".tsv"])
def test_other_formats_are_refused_with_the_remedy(trees, tmp_path, suffix):
    root = trees.casme2(tmp_path / "r", sheet="")
    (root / "notes.csv").write_text("a list of other things")
    (root / NAME.replace(".xlsx", suffix)).write_bytes(b"x")
    with pytest.raises(InputError, match=rf"20140508\{suffix}: .*save it as \.xlsx, named {NAME}"):
        load_index("casme2", root)


def test_a_workbook_of_another_name_is_shown(trees, tmp_path):
    root = trees.casme2(tmp_path / "r", sheet="Copy of CASME2-coding-20140508.xlsx")
    with pytest.raises(InputError, match="beside the frames, but there is Copy of CASME2"):
        load_index("casme2", root)


def test_files_of_programs_that_are_open_are_passed_over(trees, tmp_path):
    root = trees.casme2(tmp_path / "r")
    for name in (f"~${NAME}", f"._{NAME}", f".~lock.{NAME}#"):
        (root / name).write_bytes(b"x")
    assert len(load_index("casme2", root, "all")) == len(USUAL)


def test_of_two_files_that_differ_the_one_that_is_read_is_named(trees, tmp_path, caplog):
    root = trees.casme2(tmp_path / "r")
    usual = (root / NAME).read_bytes()
    copy = root / "Cropped" / NAME
    find = lambda: find_annotation_file(root, root / "Cropped", ANNOTATION, None, "CASME II")  # noqa: E731
    copy.write_bytes(usual)
    assert find() == (root / NAME, "2014")
    assert not caplog.records
    copy.write_bytes(usual + b"x")
    assert find() == (root / NAME, "2014")
    assert f"{root / NAME} is read, not {copy}, which differs" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("place", range(8))
def test_an_archive_whose_parts_are_encrypted_is_refused(tmp_path, place):
    path = saved(usual_book(), tmp_path)
    with zipfile.ZipFile(path) as archive:
        part = archive.infolist()[place]
    content = bytearray(path.read_bytes())
    content[part.header_offset + 6] |= 1
    for entry in re.finditer(b"PK\x01\x02", content):  # the same mark in the list of contents
        content[entry.start() + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a readable \.xlsx"):
        read_table(path, ANNOTATION)
