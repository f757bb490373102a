"""The licence guard: a gated face is found wherever it stands, and nothing else is."""

import base64
import logging
import shutil

import cv2
import nbformat
import numpy as np
import pytest
from memaa_book import guard
from memaa_book.processes import RunFailed
from skimage.data import astronaut

from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip, iterate_video, sample_video, write_image, write_video
from memaa_lib.datasets.examples import may_be_shown, publishable
from memaa_lib.magnification import magnify
from tests.fake_releases import CASME2_HEADER, casme2_cells, tiny, write_sheet

ROWS = (
    ("01", "EP02_01f", 46, 50, 52, "4+L10", "happiness"),
    ("02", "EP02_01f", 9, 11, 12, "1+2", "surprise"),
)


@pytest.fixture(scope="module")
def video():
    """Frames of a real face."""
    return np.stack(
        [frame for _, frame in zip(range(7), iterate_video(sample_video()), strict=False)]
    )


@pytest.fixture
def release(tmp_path, video, monkeypatch):
    """A real CASME II of two clips: subject 01 has a face, subject 02 is a gray field."""
    root = tmp_path / "CASME2"
    for number, frame in zip(range(46, 53), video, strict=True):
        write_image(root / "Cropped" / "sub01" / "EP02_01f" / f"reg_img{number}.jpg", frame)
    for number in range(9, 13):
        write_image(root / "Cropped" / "sub02" / "EP02_01f" / f"reg_img{number}.jpg", tiny(True))
    write_sheet(root / "CASME2-coding-20140508.xlsx", CASME2_HEADER, casme2_cells(ROWS))
    monkeypatch.setenv("MEMAA_CASME2_ROOT", str(root))
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "cache"))
    return root


@pytest.fixture
def gated(release):
    return guard.gated_clips(guard.gated_roots())


def test_key_points_are_kept_wherever_the_release_lies(release, gated, tmp_path, monkeypatch):
    copy = shutil.copytree(release, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    monkeypatch.setenv("MEMAA_CASME2_ROOT", str(copy))
    monkeypatch.setattr(guard, "key_points", lambda *_: pytest.fail("made again"))
    again = guard.gated_clips(guard.gated_roots())
    assert again.names == gated.names
    assert np.array_equal(again.descriptors[0], gated.descriptors[0])


def png(image) -> str:
    return base64.b64encode(cv2.imencode(".png", image[..., ::-1])[1].tobytes()).decode()


def page(tmp_path, **data):
    """A notebook whose second cell puts out ``data``: MIME type to content."""
    output = nbformat.v4.new_output(
        "display_data", {k.replace("__", "/"): v for k, v in data.items()}
    )
    cells = [
        nbformat.v4.new_markdown_cell("# Mine"),
        nbformat.v4.new_code_cell("1", outputs=[output]),
    ]
    path = tmp_path / "mine.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def figure(image, width: int = 640):
    """The image in the middle of a white figure."""
    canvas = np.full((420, width, 3), 255, np.uint8)
    height, breadth = image.shape[:2]
    canvas[100 : 100 + height, 200 : 200 + breadth] = image
    return canvas


def test_a_twin_is_not_gated_and_a_folder_without_its_signature_is(release, tmp_path, monkeypatch):
    assert guard.gated_roots() == {"casme2": release}
    (release / "_memaa_truth").mkdir()
    (release / "_memaa_truth" / "truth.json").write_text("{}")
    assert guard.gated_roots() == {}


@pytest.mark.parametrize(
    "how", ["frame", "shrunk", "crop", "JPEG", "magnified", "mean", "gray", "turned"]
)
def test_a_face_is_found_whatever_was_done_to_it(gated, video, how):
    last = video[-1]
    shown = {
        "frame": lambda: last,
        "shrunk": lambda: cv2.resize(last, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA),
        "crop": lambda: np.ascontiguousarray(last[20:110, 40:140]),
        "JPEG": lambda: cv2.imdecode(cv2.imencode(".jpg", last, [1, 60])[1], 1),
        "magnified": lambda: magnify(Clip(video, 30), 3.0).frames[-1],
        "mean": lambda: np.rint(video.mean(axis=0)).astype(np.uint8),
        "gray": lambda: np.repeat(cv2.cvtColor(last, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
        "turned": lambda: np.ascontiguousarray(np.rot90(last)),
    }[how]()
    assert guard.find_clip(figure(shown), gated) == "casme2/sub01/EP02_01f"


def test_other_faces_plots_and_differences_are_not_taken_for_it(gated, video):
    rng = np.random.default_rng(0)
    plot = np.full((400, 600, 3), 255, np.uint8)
    cv2.polylines(plot, [rng.integers(0, 400, (40, 2)).astype(np.int32)], False, (200, 30, 30), 2)
    noise = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    change = np.clip(128 + 20 * (video[-1].astype(int) - video[0]), 0, 255).astype(np.uint8)
    for image in (astronaut(), plot, noise, figure(change), np.zeros((1, 1, 3), np.uint8)):
        assert guard.find_clip(image, gated) is None


@pytest.mark.parametrize("kind", ["image__png", "uri", "svg", "list", "markdown", "gif", "mp4"])
def test_a_page_with_a_gated_face_is_refused_wherever_the_face_stands(gated, video, tmp_path, kind):
    shown = figure(video[3])
    data = {"image__png": png(shown)}
    uri = f"data:image/png;base64,{png(shown)}"
    if kind == "uri":
        data = {"text__html": f"<p><img src='{uri}'></p>"}
    elif kind == "svg":
        data = {"image__svg+xml": f"<svg><image href='{uri}'/></svg>"}
    elif kind == "list":  # what a player keeps for its script
        data = {"text__html": f'<script>frames = ["{uri}", "{uri}"]</script>'}
    elif kind == "markdown":
        data = {"text__markdown": f"![]({uri})"}
    elif kind in ("gif", "mp4"):
        path = tmp_path / f"v.{kind}"
        write_video(tmp_path / "v.mp4", np.stack([figure(frame) for frame in video]), 25)
        if kind == "gif":
            from PIL import Image

            Image.fromarray(shown).save(path, save_all=True, append_images=[Image.fromarray(shown)])
        family = "video" if kind == "mp4" else "image"
        encoded = base64.b64encode(path.read_bytes()).decode()
        data = {"text__html": f"<video src='data:{family}/{kind};base64,{encoded}'></video>"}
    with pytest.raises(guard.FaceFound, match=r"cell 1 shows a face of casme2/sub01/EP02_01f"):
        guard.check_notebook(page(tmp_path, **data), gated)


def test_a_built_book_is_searched_file_by_file(gated, video, tmp_path):
    (tmp_path / "html" / "_images").mkdir(parents=True)
    (tmp_path / "html" / "a.html").write_text("<p>no picture</p>")
    write_image(tmp_path / "html" / "_images" / "plot.png", np.full((300, 400, 3), 255, np.uint8))
    assert guard.check_folder(tmp_path / "html", gated) == 1
    write_image(tmp_path / "html" / "_images" / "face.jpg", figure(video[2]))
    with pytest.raises(guard.FaceFound, match=r"face\.jpg"):
        guard.check_folder(tmp_path / "html", gated)
    with pytest.raises(RunFailed, match=r"--allow-subject casme2/sub01"):
        guard.refuse_gated_faces(tmp_path / "html")


@pytest.mark.parametrize("by", ["manifest", "command line"])
def test_an_allowed_subject_is_shown(release, video, tmp_path, monkeypatch, by):
    row = {"dataset": "casme2", "subject": "sub01", "is_twin": False}
    assert not may_be_shown(row)
    path = page(tmp_path, image__png=png(figure(video[3])))
    with pytest.raises(RunFailed):
        guard.refuse_gated_faces(path)
    if by == "manifest":
        original = guard.load_index.__globals__["load_manifest"]("casme2")
        access = original.access.model_copy(update={"publishable_subjects": ("sub01",)})
        changed = original.model_copy(update={"access": access})
        monkeypatch.setattr("memaa_lib.datasets.examples.load_manifest", lambda name: changed)
    else:
        monkeypatch.setenv("MEMAA_ALLOW_SUBJECTS", "samm/006,casme2/1")
    assert may_be_shown(row)
    guard.refuse_gated_faces(path)


@pytest.mark.parametrize("entry", ["fer/1", "casme2/anna", "sub01", "casme2"])
def test_a_wrong_allowance_is_an_error(monkeypatch, entry):
    monkeypatch.setenv("MEMAA_ALLOW_SUBJECTS", entry)
    with pytest.raises(InputError, match="subject"):
        publishable("casme2")


def test_key_points_of_a_clip_are_kept_and_a_damaged_cache_entry_is_made_again(release, tmp_path):
    logging.disable()
    first = guard.gated_clips(guard.gated_roots())
    (entry,) = (p for p in (tmp_path / "cache" / "guard").iterdir() if p.stat().st_size > 2000)
    entry.write_bytes(entry.read_bytes()[:100])
    again = guard.gated_clips(guard.gated_roots())
    logging.disable(logging.NOTSET)
    assert again.names == first.names
    assert np.array_equal(again.descriptors[0], first.descriptors[0])
    assert entry.stat().st_size > 2000
