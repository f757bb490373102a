"""A table of damaged inputs: each must end in one clear message that names it."""

from __future__ import annotations

import copy
import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import openpyxl
import torch
import yaml

from memaa_lib._support.weights import read_weights
from memaa_lib.clips import read_clip, read_frames, read_image, write_image, write_video
from memaa_lib.datasets import load_index
from memaa_lib.datasets.manifests import DatasetManifest, manifests_folder, read_manifest
from memaa_lib.datasets.roots import configured_root
from memaa_lib.metrics import read_megc_log, score_file
from tests.fake_releases import (
    CASME2_HEADER,
    CASME2_ROWS,
    SAMM_HEADER,
    casme2_cells,
    casme2_tree,
    samm_cells,
    samm_tree,
    write_sheet,
)

ROOT = Path(__file__).resolve().parents[2]
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)


@dataclass(frozen=True)
class Damage:
    """One damaged input.

    ``make`` writes it below a folder and returns what to call; the call must raise an InputError whose
    one line matches ``message``.
    """

    family: str
    name: str
    make: Callable[[Path], Callable[[], Any]]
    message: str

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"


def encoded(suffix: str, image: np.ndarray = IMAGE) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def file_case(
    family: str, name: str, file: str, content: bytes, read: Callable[[Path], Any], message: str
) -> Damage:
    def make(folder: Path) -> Callable[[], Any]:
        path = folder / file
        path.write_bytes(content)
        return lambda: read(path)

    return Damage(family, name, make, message)


# ------------------------------------------------------------------ images
def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    head = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + head + end


def bmp_header(width: int, height: int) -> bytes:
    head = struct.pack("<2sIHHI", b"BM", 60, 0, 0, 54)
    return (
        head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + b"\0" * 6
    )


def jpeg_header(width: int, height: int) -> bytes:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(range(9))
    return b"\xff\xd8\xff\xe0\0\4ab" + frame + b"\xff\xd9"


def other_files() -> dict[str, bytes]:
    """Whole files of other kinds, to be put under an image's or a spreadsheet's name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("a.txt", "text")
    array = io.BytesIO()
    np.save(array, IMAGE)
    return {
        "text": b"this is no image\n" * 20,
        "HTML": b"<!doctype html><title>404</title>" * 20,
        "zip": archive.getvalue(),
        "NumPy": array.getvalue(),
        "GIF": b"GIF89a" + bytes(60),
        "TIFF": encoded(".tiff"),
        "WebP": encoded(".webp"),
        "PDF": b"%PDF-1.7\n" + bytes(100),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "pickle": pickle.dumps({"a": 1}),
        "zeros": bytes(500),
    }


def images() -> Iterator[Damage]:
    for suffix in (".png", ".jpg", ".bmp"):
        whole = encoded(suffix)
        for share in (0.02, 0.2, 0.5, 0.8, 0.97):
            cut = whole[: int(len(whole) * share)]
            yield file_case(
                "image", f"{suffix} cut at {share:.0%}", f"img1{suffix}", cut, read_image,
                "cut short|not a readable image",
            )  # fmt: skip
        yield file_case("image", f"empty {suffix}", f"img1{suffix}", b"", read_image, "is empty")
        for kind, content in other_files().items():
            yield file_case(
                "image", f"{kind} named {suffix}", f"img1{suffix}", content, read_image,
                "not a readable image",
            )  # fmt: skip
    sixteen = IMAGE.astype(np.uint16) * 257
    for name, image in {"colour": sixteen, "gray": sixteen[..., 0]}.items():
        yield file_case(
            "image", f"16-bit {name}", "a.png", encoded(".png", image), read_image, "8 bits"
        )
    for size in ((100_000, 100_000), (2**31 - 1, 2**31 - 1), (1, 2**30), (70_000_000, 1)):
        name = f"PNG of {size[0]} x {size[1]}"
        yield file_case("image", name, "a.png", png_header(*size), read_image, "too large")
        name = f"BMP of {size[0]} x {size[1]}"
        yield file_case("image", name, "a.bmp", bmp_header(*size), read_image, "too large")
    for size in ((65_535, 65_535), (65_000, 2_000)):
        name = f"JPEG of {size[0]} x {size[1]}"
        yield file_case("image", name, "a.jpg", jpeg_header(*size), read_image, "too large")
    for name, content in {
        "PNG of no pixel": png_header(0, 0),
        "PNG of a bad depth": png_header(4, 4, depth=7),
        "PNG without data": png_header(4, 4),
        "BMP without data": bmp_header(40, 40),
        "JPEG without data": jpeg_header(40, 40),
    }.items():
        read = "not a readable image|cut short"
        yield file_case("image", name, f"a.{name[:3].lower()}", content, read_image, read)


# ------------------------------------------------------------------ folders of frames
def folders() -> Iterator[Damage]:
    def frames(folder: Path) -> Path:
        for number in range(4):
            write_image(folder / "clip" / f"img{number}.png", IMAGE)
        return folder / "clip"

    def case(name: str, damage: Callable[[Path], Any], message: str) -> Damage:
        def make(folder: Path) -> Callable[[], Any]:
            clip = frames(folder)
            damage(clip)
            return lambda: read_frames(clip)

        return Damage("folder", name, make, message)

    yield case("two sizes", lambda c: write_image(c / "img2.png", IMAGE[:9]), "one size")
    yield case("a frame twice", lambda c: write_image(c / "img2.jpg", IMAGE), "there twice")
    yield case("01 and 1", lambda c: write_image(c / "img01.png", IMAGE), "there twice")
    yield case("an empty frame", lambda c: (c / "img2.png").write_bytes(b""), r"img2\.png.*empty")
    yield case("a folder named as a frame", lambda c: (c / "img9.png").mkdir(), r"img9\.png")
    yield case("a link to nowhere", lambda c: (c / "img9.png").symlink_to("gone.png"), r"img9\.png")
    yield case("a link to itself", lambda c: (c / "img9.png").symlink_to("img9.png"), r"img9\.png")
    yield case(
        "a link to a device", lambda c: (c / "img9.png").symlink_to("/dev/null"), r"img9\.png"
    )

    def only(name: str, build: Callable[[Path], Any], message: str, fps: Any = 100) -> Damage:
        def make(folder: Path) -> Callable[[], Any]:
            path = folder / "clip"
            build(path)
            return lambda: read_clip(path, fps)

        return Damage("folder", name, make, message)

    yield only("empty", lambda p: p.mkdir(), "no frames found")
    yield only("not there", lambda p: None, "no such file or folder")
    yield only("names without numbers", lambda p: write_image(p / "face.png", IMAGE), "no frames")
    yield only("hidden files", lambda p: write_image(p / ".img1.png", IMAGE), "no frames found")
    yield only("endless number", lambda p: write_image(p / f"i{'9' * 40}.png", IMAGE), "no frames")
    for fps in (None, 0, -5, float("nan"), float("inf"), "100", True and [100]):
        yield only(
            f"fps {fps}", lambda p: write_image(p / "img1.png", IMAGE), "fps|frame rate", fps
        )


# ------------------------------------------------------------------ videos
def video_bytes(folder: Path, **changes: bytes) -> bytes:
    path = folder / "whole.mp4"
    write_video(path, np.repeat(IMAGE[None].repeat(8, 0), 2, axis=1), 25)
    content = path.read_bytes()
    path.unlink()
    return content


def videos() -> Iterator[Damage]:
    def case(
        name: str, build: Callable[[Path], bytes], message: str, suffix: str = "mp4"
    ) -> Damage:
        def make(folder: Path) -> Callable[[], Any]:
            path = folder / f"clip.{suffix}"
            path.write_bytes(build(folder))
            return lambda: read_clip(path)

        return Damage("video", name, make, message)

    bad = "not a readable video|no video|no frames|states no frame rate"
    yield case("empty", lambda f: b"", bad)
    for kind in other_files():
        if kind not in ("GIF", "TIFF", "WebP"):  # FFmpeg reads pictures, too
            yield case(f"{kind} named .mp4", lambda f, k=kind: other_files()[k], bad)
    for share in (0.05, 0.3, 0.6, 0.9):
        yield case(
            f"cut at {share:.0%}",
            lambda f, s=share: (whole := video_bytes(f))[: int(len(whole) * s)],
            bad,
        )
    for suffix in ("avi", "mkv", "mov", "webm"):
        yield case(f"zeros named .{suffix}", lambda f: bytes(3000), bad, suffix)
    yield case("sound only", sound_only, "no video stream", "wav")
    yield case("a stream without frames", no_frames, bad, "avi")
    yield case("a frame rate that varies", varying, "frame rate varies", "mkv")
    yield case("an image", lambda f: encoded(".png"), "one image is no clip", "png")


def sound_only(folder: Path) -> bytes:
    path = folder / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def no_frames(folder: Path) -> bytes:
    path = folder / "none.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    return path.read_bytes()


def varying(folder: Path) -> bytes:
    """A recording whose second half comes at half the rate."""
    from fractions import Fraction

    path = folder / "varying.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        time = 0
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number, np.uint8), "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            time += 40 if number < 6 else 80
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


# ------------------------------------------------------------------ spreadsheets
def sheet_case(name: str, header: tuple, rows: list[tuple], message: str, **options: Any) -> Damage:
    def make(folder: Path) -> Callable[[], Any]:
        casme2_tree(folder, sheet="")
        write_sheet(folder / "CASME2-coding-20140508.xlsx", header, rows, **options)
        return lambda: load_index("casme2", folder)

    return Damage("spreadsheet", name, make, message)


def sheet_file(name: str, content: Callable[[Path], bytes], message: str) -> Damage:
    def make(folder: Path) -> Callable[[], Any]:
        casme2_tree(folder)
        path = folder / "CASME2-coding-20140508.xlsx"
        path.write_bytes(content(path))
        return lambda: load_index("casme2", folder)

    return Damage("spreadsheet", name, make, message)


def spreadsheets() -> Iterator[Damage]:
    for column in ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame"):
        header = tuple("Something" if name == column else name for name in CASME2_HEADER)
        message = f"no column|no header found.*{'Filename' if column == 'Filename' else ''}"
        yield sheet_case(f"no column {column}", header, casme2_cells(), message)
    header = tuple("Mood" if n == "Estimated Emotion" else n for n in CASME2_HEADER)
    yield sheet_case("no emotions", header, casme2_cells(), "no column")
    yield sheet_case("empty", (None,), [], "no header found")
    yield sheet_case("no header", casme2_cells()[0], casme2_cells()[1:], "no header found")
    yield sheet_case(
        "header after row 60", CASME2_HEADER, casme2_cells(), "no header found", preamble=70
    )
    for share in (0.1, 0.5, 0.9, 0.99):
        yield sheet_file(
            f"cut at {share:.0%}",
            lambda path, s=share: (whole := path.read_bytes())[: int(len(whole) * s)],
            "not a readable .xlsx",
        )
    for kind in other_files():
        yield sheet_file(
            f"{kind} named .xlsx", lambda path, k=kind: other_files()[k], "not a readable .xlsx"
        )
    yield sheet_file("empty file", lambda path: b"", "not a readable .xlsx")
    yield sheet_file("CSV named .xlsx", lambda path: b"Subject,Filename\n", "not a readable .xlsx")
    for part in ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"):
        yield sheet_file(
            f"{part} missing",
            lambda p, q=part: replaced(p, q, None),
            "not a readable|no header found",
        )
        yield sheet_file(f"{part} cut", lambda p, q=part: replaced(p, q, b"<a"), "not a readable")
    laughs = (
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
        + b"".join(
            f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(9)
        )
        + b"]><worksheet>&j;</worksheet>"
    )
    yield sheet_file(
        "entities without end",
        lambda path: replaced(path, "xl/worksheets/sheet1.xml", laughs),
        "not a readable",
    )
    yield sheet_file(
        "300 MB when unpacked",
        lambda path: replaced(path, "xl/worksheets/sheet1.xml", b" " * 300_000_000),
        "when unpacked",
    )


def replaced(path: Path, part: str, content: bytes | None) -> bytes:
    """A spreadsheet with one of its parts replaced or left out."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(path) as old,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            data = content if name == part else old.read(name)
            if data is not None:
                new.writestr(name, data)
    return result.getvalue()


# ------------------------------------------------------------------ manifests and settings
def manifests() -> Iterator[Damage]:
    good = yaml.safe_load((manifests_folder() / "casme2.yaml").read_text("utf-8"))

    def text(name: str, content: str | bytes, message: str = "not readable as YAML") -> Damage:
        raw = content.encode() if isinstance(content, str) else content
        read = lambda path: read_manifest(path, DatasetManifest)  # noqa: E731
        return file_case("manifest", name, "casme2.yaml", raw, read, message)

    def changed(name: str, keys: tuple[str, ...], value: Any, message: str) -> Damage:
        content = copy.deepcopy(good)
        place = content
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        return text(name, yaml.dump(content, Dumper=yaml.CSafeDumper), message)

    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    yield text("aliases without end", bomb, "aliases")
    yield text("an alias", "name: &n casme2\ntitle: *n\n", "aliases")
    yield text("nested 5000 deep", "a: " + "[" * 5000)
    yield text("code", "name: !!python/object/apply:os.system ['exit 1']\n")
    yield text("a tag", "name: !secret x\n")
    yield text("bytes", b"\xff\xfe\x00\x01")
    yield text("UTF-16", "name: casme2\n".encode("utf-16"))
    yield text("latin-1", "title: Åland\n".encode("latin-1"))
    yield text("NUL", "name: \0\n")
    yield text("tabs", "name:\n\t- x\n")
    yield text("two documents", "name: a\n---\nname: b\n")
    yield text("unbalanced", "name: [a\n")
    yield text("empty", "", "the file")
    yield text("a list", "- a\n- b\n", "the file")
    yield text("a number", "7\n", "the file")
    yield text("too long", "# x\n" * 400_000, "bytes, expected at most")
    for keys in (
        (),
        ("access",),
        ("naming",),
        ("annotation",),
        ("composite",),
        ("counts",),
        ("twin",),
    ):
        yield changed(
            f"unknown key in {'.'.join(keys) or 'all'}", (*keys, "colour"), "red", "Extra"
        )
    for keys, value in {
        ("fps",): -1, ("longest_clip_frames",): 0, ("naming", "subject"): "(", ("counts", "clips"): 9,
        ("counts", "subjects"): "many", ("label_map",): {"happy": []}, ("variants",): [],
        ("known_holes",): [{"subject": "x"}], ("annotation", "default_coding"): "1999",
        ("twin", "default_variant"): "small", ("is_synthetic",): "perhaps", ("name",): ["casme2"],
    }.items():  # fmt: skip
        yield changed(f"{'.'.join(keys)} is {value}", keys, value, keys[0])
    for keys in (
        ("naming", "subject_folder"), ("naming", "clip_folder"), ("variants", "cropped", "folder"),
        ("variants", "cropped", "frame"), ("annotation", "codings", "2014", "written_as"),
    ):  # fmt: skip
        for value in ("../../elsewhere", "/etc", "a/../../b", "C:\\data", "~root"):
            yield changed(f"{'.'.join(keys)} is {value}", keys, value, "leads out")


def settings() -> Iterator[Damage]:
    def case(name: str, content: str | bytes, message: str) -> Damage:
        def make(folder: Path) -> Callable[[], Any]:
            raw = content.encode() if isinstance(content, str) else content
            (folder / "memaa.toml").write_bytes(raw)
            return lambda: configured_root("casme2")

        return Damage("memaa.toml", name, make, message)

    yield case("no TOML", "roots: x", "not readable as TOML")
    yield case("cut", "[roots", "not readable as TOML")
    yield case("bytes", b"\xff\xfe", "not readable as TOML")
    yield case("roots is a number", "roots = 3", "expected a table")
    yield case("a root is a number", "[roots]\ncasme2 = 3", "expected a table")
    yield case("unknown set", '[roots]\nfer2013 = "/x"', "fer2013")
    yield case("no such folder", '[roots]\ncasme2 = "gone"', "no such folder")
    yield case("a file", '[roots]\ncasme2 = "memaa.toml"', "no such folder")
    yield case("twice", '[roots]\ncasme2 = "a"\ncasme2 = "b"', "not readable as TOML")


# ------------------------------------------------------------------ predictions
def predictions() -> Iterator[Damage]:
    head = "dataset,subject,clip,label,prediction\n"
    good = "smic,s01,a,0,1\n"

    def case(kind: str, name: str, content: str | bytes, message: str = ".") -> Damage:
        raw = content.encode() if isinstance(content, str) else content
        read = score_file if kind == "csv" else read_megc_log
        return file_case(f"predictions {kind}", name, f"p.{kind}", raw, read, message)

    for name, content in {
        "empty": "",
        "head only": head,
        "no head": good,
        "wrong head": head.replace("label", "truth") + good,
        "a column short": head + "smic,s01,a,0\n",
        "a column more": head + "smic,s01,a,0,1,2\n",
        "class 3": head + "smic,s01,a,3,1\n",
        "class -1": head + "smic,s01,a,-1,1\n",
        "class nan": head + "smic,s01,a,nan,1\n",
        "class 0.5": head + "smic,s01,a,0.5,1\n",
        "class happy": head + "smic,s01,a,happy,1\n",
        "empty class": head + "smic,s01,a,,1\n",
        "empty clip": head + "smic,s01,,0,1\n",
        "a clip twice": head + good + good,
        "binary": bytes(range(256)),
        "NUL": head + "smic,s01,a\0,0,1\n",
        "latin-1": (head + "smic,s01,Å,0,1\n").encode("latin-1"),
        "blanks": (head + good).replace(",", " "),
        "an open quote": head + 'smic,"s01,a,0,1\n',
        "a formula": head + "smic,s01,a,=1+1,1\n",
    }.items():
        yield case("csv", name, content)
    for name, content in {
        "empty": "",
        "no fold": "clip 0 1\n",
        "four words": "smic s01\na 0 1 2\n",
        "one word": "smic\n",
        "class 3": "smic s01\na 3 1\n",
        "class happy": "smic s01\na happy 1\n",
        "class nan": "smic s01\na nan 1\n",
        "a clip twice": "smic s01\na 0 1\na 0 1\n",
        "folds only": "smic s01\nsmic s02\n",
        "binary": bytes(range(256)),
        "UTF-16 cut": "smic s01\na 0 1\n".encode("utf-16")[:-1],
        "latin-1": "smic s01\nÅ 0 1\n".encode("latin-1"),
        "CSV": head + good,
    }.items():
        yield case("log", name, content)


# ------------------------------------------------------------------ weights
class Runs:
    """Unpickled, it runs a command."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("touch memaa-was-here",)


def weights() -> Iterator[Damage]:
    import hashlib

    def case(name: str, content: bytes, message: str, stem: str = "") -> Damage:
        digest = hashlib.sha256(content).hexdigest()[:8]
        file = stem or f"resnet34-{digest}.pth"
        return file_case("weights", name, file, content, read_weights, message)

    def saved(what: Any, **options: Any) -> bytes:
        buffer = io.BytesIO()
        torch.save(what, buffer, **options)
        return buffer.getvalue()

    good = saved({"a": torch.zeros(2)})
    yield case("a pickle that runs code", pickle.dumps({"a": Runs()}), "weights")
    yield case("a pickle of PyTorch's that runs code", saved({"a": Runs()}), "weights")
    old = saved({"a": Runs()}, _use_new_zipfile_serialization=False)
    yield case("an old pickle that runs code", old, "weights")
    yield case("a plain pickle", pickle.dumps([1]), "weights")
    yield case("a list", saved([torch.zeros(2)]), "table of weights")
    yield case("cut", good[: len(good) // 2], "weights")
    yield case("empty", b"", "weights")
    yield case("text", b"weights", "weights")
    yield case("another hash", good, "do not match", "resnet34-00000000.pth")
    yield case("no hash", good, "ends in", "resnet34.pth")


FAMILIES = (images, folders, videos, spreadsheets, manifests, settings, predictions, weights)
DAMAGES = [damage for family in FAMILIES for damage in family()]


# ------------------------------------------------------------------ rows of a spreadsheet
def bad_rows() -> dict[str, tuple[tuple, str]]:
    """A row in a good spreadsheet that cannot be used: the row, and what kind of problem it is."""
    subject, clip, onset, apex, offset, units, emotion = CASME2_ROWS[0]

    def row(**changes: Any) -> tuple:
        cells = (
            dict(s=subject, c=clip, on=onset, ap=apex, off=offset, au=units, em=emotion) | changes
        )
        return tuple(cells[name] for name in ("s", "c", "on", "ap", "off", "au", "em"))

    rows: dict[str, tuple[tuple, str]] = {}
    numbers: dict[str, Any] = {
        "nothing": None, "text": "soon", "NaN text": "nan", "half": 46.5, "negative": -46,
        "huge": 10**30, "huge text": "9" * 400, "true": True, "a formula": "=A1+1", "error": "#REF!",
        "Arabic digits": "٤٦", "a date": __import__("datetime").date(2014, 5, 8),
    }  # fmt: skip
    for name, value in numbers.items():
        rows[f"onset {name}"] = row(on=value), "bad row"
        rows[f"offset {name}"] = row(off=value), "bad row"
        if value is not None and name not in ("negative", "a date"):
            rows[f"apex {name}"] = row(ap=value), "bad row"
    # a spreadsheet keeps a date as a number of days
    rows["apex a date"] = row(ap=numbers["a date"]), "apex out of range"
    rows["apex negative"] = row(ap=-5), "apex out of range"
    rows["onset negative"] = row(on=-46), "missing frames"
    rows["offset negative"] = row(off=-46), "bad row"
    rows["onset after offset"] = row(on=60, off=50), "bad row"
    rows["apex outside"] = row(ap=400), "apex out of range"
    for name, value in {
        "path": "../../etc/passwd", "absolute": "/etc", "words": "nobody", "number": 99999,
        "null": "\u2400",
    }.items():  # fmt: skip
        rows[f"subject {name}"] = row(s=value), "bad row|missing clip|extra clip"
        rows[f"clip {name}"] = row(c=value), "bad row|missing clip|extra clip"
    for value in ("joy", "=NOW()", "🙂", "12"):
        rows[f"emotion {value}"] = row(em=value), "unknown emotion"
    return rows


__all__ = [
    "DAMAGES", "IMAGE", "SAMM_HEADER", "Damage", "bad_rows", "openpyxl", "samm_cells", "samm_tree",
]  # fmt: skip
