"""Players and images: what stands in the page, and what is refused."""

import base64
import json
import re

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pytest

from memaa_lib import figures
from memaa_lib.storage import InputError

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
    first, second = (figures.video(frames, fps=10, alt="x").data for _ in range(2))
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


def test_confusion_shows_counts_in_the_papers_orientation():
    matrix = np.array([[5, 1, 0], [2, 6, 0], [0, 0, 3]])
    axes = figures.confusion(matrix, "a run")
    texts = {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts
    }
    assert texts[(1, 0)].startswith("2\n"), "rows are the true class"
    assert axes.get_ylabel() == "true"
    plt.close(axes.figure)


def test_provenance_names_everything_and_escapes():
    markup = figures.provenance("a <twin>", {"alpha": 10.0}).data
    assert "a &lt;twin&gt;" in markup
    assert "alpha = 10.0" in markup
    assert "commit" in markup
