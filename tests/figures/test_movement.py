"""Movement drawn on a face, tables for readers, and the names and sizes that two pages show."""

import numpy as np
import pandas as pd

from memaa_lib import figures
from memaa_lib.experiments.ablations import ARMS, TITLES
from memaa_lib.figures.plots import COLOURS

RED = np.array(list(bytes.fromhex(COLOURS["contrast"].removeprefix("#"))))


def red(picture):
    return np.abs(picture.astype(int) - RED).max(axis=2) < 10


def oval():
    """68 landmarks: a jaw from ear to ear, brows at its height, the rest in between."""
    angles = np.linspace(0, np.pi, 17)
    jaw = np.c_[50 - 30 * np.cos(angles), 50 + 40 * np.sin(angles)]
    brows = np.c_[np.linspace(25, 75, 10), np.full(10, 45)]
    return np.concatenate([jaw, brows, np.full((41, 2), 50.0)])


def test_the_mask_holds_the_face_and_a_part_of_the_forehead_but_no_corner():
    inside = figures.face_mask(oval(), (100, 100))
    assert inside[60, 50]
    assert inside[36, 50]
    assert not inside[20, 50]
    assert not inside[[0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_arrows_point_where_the_skin_goes_and_only_where_it_is_asked():
    face = np.full((60, 40), 120, np.uint8)
    up = np.zeros((60, 40, 2))
    up[..., 1] = -1
    where = np.zeros((60, 40), bool)
    where[20:30] = True
    drawn = np.flatnonzero(red(figures.arrows(face, up, where, longer=10, zoom=2)).any(axis=1))
    assert 2 * (20 - 10) - 4 <= drawn.min() < 2 * 20  # the tips, above the feet
    assert drawn.max() <= 2 * 30 + 2


def test_what_hardly_moves_or_is_unknown_has_no_arrow():
    face = np.full((30, 30), 120, np.uint8)
    for flow in (np.full((30, 30, 2), 0.01), np.full((30, 30, 2), np.nan)):
        assert not red(figures.arrows(face, flow)).any()


def test_a_table_has_one_row_of_heads_and_no_nan():
    frame = pd.DataFrame(
        {"UF1": [0.5, np.nan], "clips": [1200, 3], "of": ["<a>", None]}, index=["x", "y"]
    )
    markup = figures.table(frame.rename_axis("system"), digits=2, caption="Twins.").data
    assert markup.count("<tr>") == 3
    for words in (">0.50<", ">-<", ">1,200<", ">&lt;a&gt;<", ">Twins.<", '<th scope="row">x<'):
        assert words in markup
    assert "nan" not in markup.lower()


def test_a_wide_figure_has_its_numbers_under_the_names():
    rows = [figures.IntervalRow("a", 0.5, 0.4, 0.6)]
    wide, plain = (figures.intervals(rows, heads=("a", "b"), wide=w).data for w in (True, False))
    assert "<br><small>0.500 (0.400 to 0.600)</small></th>" in wide
    assert "</span><span>0.500" in plain
    assert "<small>" not in plain


def test_every_arm_has_a_name_for_readers_and_no_two_the_same():
    assert list(TITLES) == list(ARMS)
    assert len(set(TITLES.values())) == len(ARMS)
