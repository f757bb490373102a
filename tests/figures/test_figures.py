"""Players and images: what stands in the page, and what is refused."""

import base64
import json
import re

import cv2
import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib import figures
from memaa_lib._support.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)


def test_scrubber_holds_every_image_and_a_poster():
    markup = figures.scrubber([IMAGE, IMAGE // 2], ["one", "two"], alt='a "face"', start=1).data
    content = json.loads(re.search(r"<script[^>]*>(.*)</script>", markup).group(1))
    assert content["labels"] == ["one", "two"]
    assert f'src="{content["sources"][1]}"' in markup
    assert 'alt="a &quot;face&quot;: two"' in markup
    encoded = base64.b64decode(content["sources"][0].split(",")[1])
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == IMAGE.shape


def test_players_are_deterministic():
    frames = np.stack([IMAGE] * 4)
    first, second = (figures.film({"a": frames}, fps=10, alt="x").data for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "build",
    [
        lambda: figures.scrubber([IMAGE], ["one", "two"], alt="x"),
        lambda: figures.scrubber([], [], alt="x"),
        lambda: figures.compare(IMAGE, IMAGE[:8], names=("a", "b"), alt="x"),
        lambda: figures.faces([]),
        lambda: figures.faces([IMAGE], ["a", "b"]),
        lambda: figures.data_uri(IMAGE.astype(float)),
        lambda: figures.confusion_tables({}),
        lambda: figures.confusion_tables({"a run": np.eye(2, dtype=int)}),
        lambda: figures.intervals([], heads=("a", "b")),
    ],
)
def test_wrong_input_is_refused(build):
    with pytest.raises(InputError):
        build()


def test_signed_difference_shows_sign():
    brighter = figures.signed_difference(
        np.full((4, 4), 30, np.uint8), np.full((4, 4), 10, np.uint8)
    )
    assert (brighter > 128).all()


def test_confusion_tables_count_in_the_papers_orientation():
    matrix = np.array([[5, 1, 0], [2, 6, 0], [0, 0, 0]])
    markup = figures.confusion_tables({"a <run>": matrix, "b": matrix.T}, caption="both").data
    tables = BeautifulSoup(markup, "html.parser").find_all("table")
    rows = [
        [cell.contents[0] for cell in row.find_all("td")] for row in tables[0].select("tbody tr")
    ]
    assert rows == [["5", "1", "0"], ["2", "6", "0"], ["0", "0", "0"]], "rows are the true class"
    assert tables[0].caption.get_text() == "a <run>"
    words = [cell["data-words"] for cell in tables[0].find_all("td")]
    assert words[3] == "a <run>: 2 of 8 positive clips were called negative (25%)."
    assert words[8].endswith("0 of 0 surprise clips were called surprise (0%).")
    assert len(tables) == 2


def places(markup: str) -> list[dict[str, float]]:
    return [
        {key: float(value) for key, value in re.findall(r"--(\w+):([\d.]+)%", track["style"])}
        for track in BeautifulSoup(markup, "html.parser").select(".track")
    ]


def test_intervals_stand_where_their_numbers_are():
    rows = [
        figures.IntervalRow("a", 0.5, 0.25, 0.75, marked=True, note="Said of a."),
        figures.IntervalRow("b & c", 0.0, -1.0, 2.0),
    ]
    markup = figures.intervals(rows, heads=("name", "score"), limits=(0, 1), line=0.25).data
    assert places(markup) == [
        {"low": 25, "high": 75, "value": 50},
        {"low": 0, "high": 100, "value": 0},
    ]
    page = BeautifulSoup(markup, "html.parser")
    first, second = page.select("tbody tr")
    assert first["data-words"] == "a: 0.500 (0.250 to 0.750). Said of a."
    assert (first["class"], second["class"]) == (["marked"], [])
    assert second.th.get_text() == "b & c"
    assert "0.000 (-1.000 to 2.000)" in second.get_text(), (
        "numbers are told as they are, off the axis too"
    )
    assert page.table["style"] == "--line:25.0%"


def test_differences_have_a_sign():
    rows = [figures.IntervalRow("arm", 0.05, -0.1, 0.2)]
    markup = figures.intervals(rows, heads=("arm", "difference"), line=0).data
    assert "arm: +0.050 (-0.100 to +0.200)" in markup


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5)
)
@settings(deadline=None, derandomize=True, max_examples=50)
def test_the_axis_holds_every_interval_and_the_line(drawn):
    rows = [figures.IntervalRow("x", value, value - down, value + up) for value, down, up in drawn]
    markup = figures.intervals(rows, heads=("a", "b"), line=0).data
    tolerance = 0.11  # places are written with one decimal
    for place in places(markup):
        assert 0 <= place["low"] <= place["value"] + tolerance
        assert place["value"] <= place["high"] + tolerance <= 100.2


def test_provenance_names_everything_and_escapes():
    markup = figures.provenance("a <twin>", {"alpha": 10.0}).data
    assert "a &lt;twin&gt;" in markup
    assert "alpha = 10.0" in markup
    assert "commit" in markup


def test_a_known_face_moves_by_what_it_is_told():
    face = figures.KnownFace("smic", seconds=0.1)
    still, moved, drifts = face.film(0), face.film(2), face.film(0, drift_px=1.5)
    same = still.frames == still.frames[0]
    assert same.mean() > 0.999  # the renderer finds by steps where a point comes from
    way = np.linalg.norm(moved.landmarks - moved.landmarks[0], axis=2)
    assert 0.5 < way.max() <= 2.1, "the point that moves most need not be a landmark"
    assert way[moved.apex].max() == pytest.approx(way.max())
    assert way[-1].max() < 0.1, "the face comes to rest"
    way = np.linalg.norm(drifts.landmarks - drifts.landmarks[0], axis=2).mean(axis=1)
    assert way.max() == pytest.approx(1.5, rel=0.02)


def test_only_the_brows_of_the_photograph_rise():
    still, raised = figures.raised_brows([0.0, 1.5]).astype(int)
    changed = np.abs(raised - still).max(axis=2)
    assert changed[40:80, 50:140].max() > 40
    assert changed[120:].max() <= 1


def test_a_listing_shows_the_code_and_one_line_of_its_docstring():
    text = figures.listing(figures.film).data
    assert text.startswith("```python\ndef film(")
    assert "Return clips that play beside each other" in text
    assert "Parameters\n" not in text
    compile(text.removeprefix("```python\n").removesuffix("```"), "listing", "exec")
