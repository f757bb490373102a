"""Every damaged input ends in one clear message, and the rest of the batch is done."""

import ast
import logging
import re
import sys
import tracemalloc
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from memaa_lib import cli
from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip, read_clip, read_image, write_clip, write_image, write_video
from memaa_lib.datasets import check, load_clip, load_index
from tests.bad_input.damages import DAMAGES, IMAGE, Damage, bad_rows
from tests.fake_releases import CASME2_HEADER, CASME2_ROWS, casme2_cells, casme2_tree, write_sheet

LEAST = 200  # damaged inputs that this folder holds at least


def test_the_table_is_as_long_as_it_says():
    ids = [damage.id for damage in DAMAGES]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    assert len(ids) + len(bad_rows()) >= LEAST


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.id)
def test_one_clear_message(damage: Damage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call = damage.make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert re.search(damage.message, text), text
    assert len(text.splitlines()) == 1
    assert len(text) < 600
    assert sorted(tmp_path.rglob("*")) == before, "something was written or run"


@pytest.mark.parametrize("size", ["PNG of 100000 x 100000", "JPEG of 65535 x 65535", "PNG of 1 x"])
def test_a_huge_image_is_refused_before_it_takes_memory(tmp_path, size):
    damage = next(d for d in DAMAGES if d.name.startswith(size))
    call = damage.make(tmp_path)
    tracemalloc.start()
    with pytest.raises(InputError):
        call()
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("name", bad_rows())
def test_a_bad_row_is_named_and_the_other_rows_are_read(name, tmp_path):
    row, kinds = bad_rows()[name]
    casme2_tree(tmp_path, sheet="")
    rows = (row, *CASME2_ROWS[1:])
    write_sheet(tmp_path / "CASME2-coding-20140508.xlsx", CASME2_HEADER, casme2_cells(rows))
    report = check("casme2", tmp_path)
    assert not report.ok
    assert [p for p in report.problems if re.fullmatch(kinds, p.kind)], report.to_text()
    good = {(f"sub{s}", c) for s, c, *_ in CASME2_ROWS[1:]}
    index = load_index("casme2", tmp_path, "all")
    assert good <= set(zip(index["subject"], index["clip"], strict=True))


def test_rows_that_stand_twice_count_once(tmp_path):
    casme2_tree(tmp_path, sheet="")
    rows = (*CASME2_ROWS, CASME2_ROWS[0], CASME2_ROWS[0])
    write_sheet(tmp_path / "CASME2-coding-20140508.xlsx", CASME2_HEADER, casme2_cells(rows))
    assert [p.kind for p in check("casme2", tmp_path).problems].count("duplicate row") == 2
    assert len(load_index("casme2", tmp_path, "all")) == len(CASME2_ROWS)


# ------------------------------------------------------------------ odd, but good
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_alpha_and_gray_are_read(tmp_path, channels, suffix):
    image = np.dstack([IMAGE, IMAGE[..., :1]])[..., :channels]
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), image)
    assert read_image(path).shape == ((24, 20) if channels == 1 else (24, 20, 3))


def test_one_pixel_is_an_image(tmp_path):
    write_image(tmp_path / "img1.png", IMAGE[:1, :1])
    assert read_image(tmp_path / "img1.png").tolist() == IMAGE[:1, :1].tolist()
    assert read_clip(tmp_path, 100).frames.shape == (1, 1, 1, 3)


@pytest.mark.parametrize(
    "name", ["Ünïcödé", "with blanks", "微表情", "a'b\"c", "100%", "-x", "emoji🙂"]
)
def test_names_may_hold_any_letter(tmp_path, name):
    folder = tmp_path / name
    write_clip(folder, Clip(IMAGE[None].repeat(3, 0), 100))
    assert np.array_equal(read_clip(folder, 100).frames[0], IMAGE)
    write_video(tmp_path / f"{name}.mp4", IMAGE[None].repeat(3, 0), 100)
    assert read_clip(tmp_path / f"{name}.mp4").n_frames == 3
    assert len(load_index("casme2", casme2_tree(tmp_path / f"{name} set"))) > 3


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_a_video_that_says_it_lies_on_its_side_is_turned(tmp_path, degrees, turns):
    path = tmp_path / "phone.mp4"
    image = cv2.GaussianBlur(IMAGE.repeat(4, 0).repeat(4, 1), (0, 0), 5)
    write_video(path, image[None].repeat(3, 0), 25)
    upright = read_clip(path).frames
    one, unit = 1 << 16, 1 << 30
    cosine, sine = {90: (0, one), 180: (-one, 0), 270: (0, -one)}[degrees]
    matrix = [cosine, sine, 0, -sine, cosine, 0, 0, 0, unit]
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    content[place : place + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in matrix)
    path.write_bytes(bytes(content))
    turned = read_clip(path).frames
    assert np.array_equal(turned, np.rot90(upright, turns, axes=(1, 2)))


def test_a_varying_frame_rate_is_taken_as_even_when_told(tmp_path):
    damage = next(d for d in DAMAGES if d.name == "a frame rate that varies")
    damage.make(tmp_path)
    assert read_clip(tmp_path / "clip.mkv", fps=25).n_frames == 12


# ------------------------------------------------------------------ links
def test_links_in_a_real_set_are_followed(tmp_path):
    casme2_tree(tmp_path / "store")
    (tmp_path / "set").mkdir()
    for entry in (tmp_path / "store").iterdir():
        (tmp_path / "set" / entry.name).symlink_to(entry)
    assert len(load_index("casme2", tmp_path / "set")) == len(
        load_index("casme2", tmp_path / "store")
    )


@pytest.mark.parametrize("what", ["frame", "clip"])
def test_a_link_in_a_twin_is_refused(tmp_path, what, caplog):
    """Else a real face could pass for a rendered one."""
    casme2_tree(tmp_path / "real")
    twin = casme2_tree(tmp_path / "twin")
    (twin / "_memaa_truth").mkdir()
    (twin / "_memaa_truth" / "truth.json").write_text('{"dataset": "casme2", "clips": []}')
    row = load_index("casme2", twin).iloc[0]
    assert row["is_twin"]
    folder = twin / "Cropped" / "sub01" / "EP02_01f"
    source = tmp_path / "real" / "Cropped" / "sub01" / "EP02_01f"
    if what == "frame":
        (folder / "reg_img46.jpg").unlink()
        (folder / "reg_img46.jpg").symlink_to(source / "reg_img46.jpg")
    else:
        folder.rename(tmp_path / "away")
        folder.symlink_to(source)
    logging.disable()
    row = load_index("casme2", twin).iloc[0]
    logging.disable(logging.NOTSET)
    with pytest.raises(InputError, match="a link in a synthetic twin"):
        load_clip(row, crop=False)


# ------------------------------------------------------------------ parameters of notebooks
@given(st.one_of(st.text(), st.floats(allow_nan=False), st.integers(), st.booleans()))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_parameter_stays_data(value):
    """papermill writes parameters as code; whatever the value, it must read back as that value."""
    code = PythonTranslator.codify({"given": value})
    body = [node for node in ast.parse(code).body if not isinstance(node, ast.Expr)]
    assert len(body) == 1
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        assert ast.unparse(body[0].value) == f"float('{value}')"
    else:
        assert ast.literal_eval(body[0].value) == value


# ------------------------------------------------------------------ the command line
@pytest.mark.parametrize(
    ("wanted", "arguments"),
    [
        ("video: cut at 30%", ["magnify", "clip.mp4", "out.mp4"]),
        ("video: zeros named .avi", ["avatar", "clip.avi", "face.png"]),
        ("folder: two sizes", ["magnify", "clip", "out.mp4", "--fps", "100"]),
        ("spreadsheet: cut at 50%", ["data", "check", "casme2", "--root", "."]),
        ("spreadsheet: empty", ["data", "check", "casme2", "--root", "."]),
        ("memaa.toml: no TOML", ["data", "check", "casme2"]),
        ("predictions csv: a clip twice", ["score", "p.csv"]),
        ("predictions log: class 3", ["score", "p.log"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_the_command_line_says_it_in_one_line_and_ends_with_1(
    wanted, arguments, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    next(damage for damage in DAMAGES if damage.id == wanted).make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["memaa", *arguments])
    monkeypatch.setattr(cli, "err", cli.Console(stderr=True, soft_wrap=True))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    lines = capsys.readouterr().err.strip().splitlines()
    if lines[0].startswith("memaa: casme2: real data at "):  # which data it is about
        lines.pop(0)
    assert len(lines) == 1, lines
    assert lines[0].startswith("memaa: ")
    assert sorted(tmp_path.rglob("*")) == before
