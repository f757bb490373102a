"""The fingerprint of a clip: its content, not its place."""

from pathlib import Path

import numpy as np
import pytest

from memaa_lib.clips import read_image, write_image
from memaa_lib.datasets.layout import clip_fingerprint
from tests.fake_releases import copied_elsewhere, write_frames


@pytest.fixture
def row(tmp_path):
    write_frames(tmp_path / "release" / "clip", "img{}.png", range(1, 6))
    path = str(tmp_path / "release" / "clip")
    return {"path": path, "onset": 1, "apex": 3, "offset": 5, "fps": 100.0}


def test_a_copy_of_a_clip_has_the_same_fingerprint(row, tmp_path):
    (copy,) = copied_elsewhere(tmp_path / "release", [row["path"]])
    assert clip_fingerprint(row | {"path": copy}) == clip_fingerprint(row)


@pytest.mark.parametrize("change", [{"onset": 2}, {"apex": 4}, {"offset": 4}, {"fps": 200.0}])
def test_another_part_of_a_clip_has_another_fingerprint(row, change):
    assert clip_fingerprint(row | change) != clip_fingerprint(row)


def test_a_pixel_or_a_name_that_changes_is_seen(row):
    seen = [clip_fingerprint(row)]
    file = Path(row["path"], "img3.png")
    write_image(file, read_image(file) ^ np.uint8(1))
    seen.append(clip_fingerprint(row))
    file.rename(file.with_name("img6.png"))
    seen.append(clip_fingerprint(row))
    assert len(set(seen)) == 3


def test_frames_are_read_once_while_nobody_touches_them(row, monkeypatch):
    first = clip_fingerprint(row)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    assert clip_fingerprint(row) == first
