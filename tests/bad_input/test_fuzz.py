"""Any bytes at all: a reader reads them or says in one line why not. `make fuzz` does it for longer.

Good files are damaged at random places (bits, cuts, pieces put in twice, pieces of one file in
another), which gets deeper into the readers than random bytes would.
"""

import contextlib
import io
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memaa_lib._support.cache import kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib.clips import read_clip, read_image
from memaa_lib.datasets.manifests import (
    DatasetManifest,
    load_manifest,
    manifests_folder,
    read_manifest,
)
from memaa_lib.datasets.roots import _roots_table
from memaa_lib.datasets.spreadsheet import read_table
from memaa_lib.metrics import read_megc_log, read_predictions
from tests.bad_input.damages import IMAGE, encoded, video_bytes
from tests.fake_releases import CASME2_HEADER, casme2_cells, write_sheet

EXAMPLES = int(os.environ.get("MEMAA_FUZZ_EXAMPLES", "25"))


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.arange(40), b=np.zeros((3, 3), np.float32))
    return buffer.getvalue()


def _sheet(folder: Path) -> bytes:
    write_sheet(folder / "s.xlsx", CASME2_HEADER, casme2_cells())
    return (folder / "s.xlsx").read_bytes()


LOG = "\n".join(f"smic s{n:02d}\nclip_{n} {n % 3} {(n + 1) % 3}\nb 0 0" for n in range(9)).encode()
CSV = b'dataset,subject,clip,label,prediction\nsmic,s01,a,0,1\nsamm,006,"b,c",2,2\n'
READERS = {
    "PNG": ("a.png", lambda folder: encoded(".png"), read_image),
    "JPEG": ("a.jpg", lambda folder: encoded(".jpg"), read_image),
    "BMP": ("a.bmp", lambda folder: encoded(".bmp"), read_image),
    "video": ("a.mp4", video_bytes, read_clip),
    "spreadsheet": (
        "a.xlsx", _sheet, lambda path: read_table(path, load_manifest("casme2").annotation),
    ),
    "manifest": (
        "a.yaml",
        lambda folder: (manifests_folder() / "samm.yaml").read_bytes(),
        lambda path: read_manifest(path, DatasetManifest),
    ),
    "memaa.toml": ("memaa.toml", lambda folder: b'[roots]\nsmic = "/a"\nsamm = "b"\n', _roots_table),
    "MEGC log": ("log.txt", lambda folder: LOG, read_megc_log),
    "CSV": ("p.csv", lambda folder: CSV, read_predictions),
    "arrays": ("a.npz", lambda folder: _npz(), lambda path: kept_arrays(path, lambda: ())),
}  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """The good file with one to four things done to it."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        place = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["flip", "cut", "drop", "twice", "insert", "fill"]))
        length = draw(st.integers(1, 64))
        if kind == "flip":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[place:]
        elif kind == "drop":
            del data[place : place + length]
        elif kind == "twice":
            data[place:place] = data[place : place + length]
        elif kind == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=16))
        else:
            data[place : place + length] = bytes([draw(st.integers(0, 255))]) * length
    return bytes(data)


@pytest.mark.parametrize("kind", READERS)
def test_a_reader_reads_or_says_why_not(kind, tmp_path):
    name, good, read = READERS[kind]
    whole = good(tmp_path)
    path = tmp_path / name
    path.write_bytes(whole)
    assert read(path) is not None
    tried = []

    @given(damaged(whole))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="MEMAA_FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def try_one(content):
        path.write_bytes(content)
        tried.append(len(content))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with contextlib.suppress(InputError):
                read(path)
                return
        try:
            read(path)
        except InputError as error:
            assert len(str(error).splitlines()) == 1, str(error)

    try_one()
    if report := os.environ.get("MEMAA_FUZZ_REPORT"):
        Path(report, f"{name}-{kind}.json").write_text(json.dumps({"kind": kind, "n": len(tried)}))


def test_the_images_are_not_trivial():
    assert IMAGE.std() > 50
