"""Image files as cameras, telephones and programs write them: upright, whole, or refused by name."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin
from scipy.ndimage import gaussian_filter

from memaa_lib._support.errors import InputError
from memaa_lib._support.media import cut_short, image_header, read_image
from memaa_lib.clips import read_frames

NOISE = np.random.default_rng(0).uniform(0, 255, (24, 40, 3))
PICTURE = np.rint(gaussian_filter(NOISE, (2, 2, 0)) * 4 % 255).astype(np.uint8)
MARKED = np.zeros((24, 40, 3), np.uint8)
MARKED[:8, :8] = (255, 0, 0)  # red above on the left
MARKED[:8, -8:] = (0, 255, 0)  # green above on the right
FORMATS = ("jpeg", "png", "bmp")


def coded(image, kind="png", **options):
    """Content of an image file that Pillow writes."""
    stream = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation):
    """EXIF notes with nothing but an orientation."""
    notes = Image.Exif()
    notes[0x0112] = orientation
    return notes


def chunk(name, content):
    """One chunk of a PNG file."""
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def noted(where, orientation, image=PICTURE):
    """Content of an image that states its orientation, in each place where programs write it."""
    notes = exif(orientation)
    tiff = notes.tobytes().removeprefix(b"Exif\0\0")
    packet = f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'
    if where == "jpeg":
        return coded(image, "jpeg", exif=notes, quality=95)
    if where == "jpeg, XMP":
        return coded(image, "jpeg", xmp=packet.encode(), quality=95)
    if where == "png":
        return coded(image, exif=notes)
    if where == "png, after the pixels":
        return coded(image)[:-12] + chunk(b"eXIf", tiff) + chunk(b"IEND", b"")
    text = PngImagePlugin.PngInfo()
    if where == "png, XMP":
        text.add_itxt("XML:com.adobe.xmp", packet)
    else:
        raw = (b"Exif\0\0" + tiff).hex()
        text.add_text("Raw profile type exif", f"\nexif\n{len(raw) // 2:8}\n{raw}\n", zip=True)
    return coded(image, pnginfo=text)


PLACES = ("jpeg", "jpeg, XMP", "png", "png, after the pixels", "png, XMP", "png, raw profile")


# ------------------------------------------------------------------ orientation
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("where", PLACES)
def test_images_are_shown_as_they_say(tmp_path, where, orientation):
    path = tmp_path / "img1.png"
    path.write_bytes(noted(where, orientation))
    with Image.open(path) as stored:
        wanted = np.asarray(ImageOps.exif_transpose(stored)).astype(int)
    shown = read_image(path)
    assert wanted.shape == ((24, 40, 3) if orientation < 5 else (40, 24, 3))
    assert shown.shape == wanted.shape and shown.flags.c_contiguous
    assert np.abs(shown - wanted).mean() < 1  # two decoders of JPEG differ in rounding
    assert image_header(path) == ((shown.shape[1], shown.shape[0]), "colour")


@pytest.mark.parametrize(
    ("orientation", "red", "green"),
    [
        (1, "top left", "top right"), (2, "top right", "top left"),
        (3, "bottom right", "bottom left"), (4, "bottom left", "bottom right"),
        (5, "top left", "bottom left"), (6, "top right", "bottom right"),
        (7, "bottom right", "top right"), (8, "bottom left", "top left"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("gray", [False, True])
def test_orientations_mean_what_the_standard_says(tmp_path, orientation, red, green, gray):
    """EXIF 2.3, tag 0x0112: which sides the stored first row and first column are."""
    path = tmp_path / "a.png"
    image = MARKED * (255, 128, 0) // 255 if gray else MARKED
    image = image.astype(np.uint8)
    path.write_bytes(noted("png", orientation, image.max(axis=2) if gray else image))
    shown = read_image(path)
    corners = {"top left": (0, 0), "top right": (0, -1), "bottom left": (-1, 0)}
    corners["bottom right"] = (-1, -1)
    at = {corner: np.ravel(shown[place]).tolist() for corner, place in corners.items()}
    assert at[red] == ([255] if gray else [255, 0, 0])
    assert at[green] == ([128] if gray else [0, 255, 0])


@pytest.mark.parametrize("stated", [0, 9, 255, 65_535])
@pytest.mark.parametrize("where", ["jpeg", "png", "png, after the pixels"])
def test_an_orientation_that_does_not_exist_changes_nothing(tmp_path, where, stated):
    (tmp_path / "a.png").write_bytes(noted(where, stated))
    (tmp_path / "b.png").write_bytes(noted(where, 1))
    assert np.array_equal(read_image(tmp_path / "a.png"), read_image(tmp_path / "b.png"))


@given(notes=st.binary(min_size=1, max_size=60), whole=st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_damaged_notes_do_not_spoil_an_image(tmp_path_factory, notes, whole):
    folder = tmp_path_factory.mktemp("notes")
    head = b"II*\0\x08\0\0\0\x01\0\x12\x01" if whole else b""
    for name, content in {
        "a.jpg": coded(PICTURE, "jpeg", exif=b"Exif\0\0" + head + notes),
        "a.png": coded(PICTURE)[:-12] + chunk(b"eXIf", head + notes) + chunk(b"IEND", b""),
    }.items():
        (folder / name).write_bytes(content)
        assert sorted(read_image(folder / name).shape) == [3, 24, 40]


def test_frames_of_other_orientations_become_one_clip(tmp_path):
    """A telephone that was turned in between."""
    undone = {1: None, 3: 1, 6: 2, 8: 0, 2: Image.Transpose.FLIP_LEFT_RIGHT}
    undone |= {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    undone |= {8: Image.Transpose.ROTATE_270}
    for number, (orientation, turn) in enumerate(undone.items()):
        stored = Image.fromarray(PICTURE)
        stored = stored if turn is None else stored.transpose(turn)
        (tmp_path / f"IMG_{number}.png").write_bytes(noted("png", orientation, stored))
    frames = read_frames(tmp_path)
    assert frames.shape == (5, 24, 40, 3) and (frames == PICTURE).all()
    (tmp_path / "IMG_5.png").write_bytes(noted("png", 6))
    with pytest.raises(InputError, match=r"IMG_5\.png: 24 x 40 pixels, but IMG_0\.png has 40 x 24"):
        read_frames(tmp_path)


# ------------------------------------------------------------------ whole or cut
def thumbnailed(**options):
    """A JPEG whose EXIF notes hold a small JPEG, as those of cameras do."""
    small = coded(PICTURE[::4, ::4], "jpeg")
    notes = exif(1).tobytes() + small
    return coded(PICTURE, "jpeg", exif=notes, **options)


WHOLE = {
    "jpeg": coded(PICTURE, "jpeg"),
    "jpeg, progressive": coded(PICTURE, "jpeg", progressive=True),
    "jpeg, restart marks": coded(PICTURE, "jpeg", restart_marker_blocks=1),
    "jpeg, thumbnail": thumbnailed(),
    "jpeg, thumbnail, progressive": thumbnailed(progressive=True),
    "jpeg, gray": coded(PICTURE[..., 0], "jpeg"),
    "png": coded(PICTURE),
    "png, notes": noted("png, XMP", 1),
    "png, notes after the pixels": noted("png, after the pixels", 1),
    "bmp": coded(PICTURE, "bmp"),
    "bmp, odd width": coded(PICTURE[:, :37], "bmp"),
    "bmp, gray": coded(PICTURE[..., 1], "bmp"),
}
TRAILERS = {
    "a line break": b"\n",
    "zeros": bytes(9_000),
    "end marks": b"\xff\xd9" * 5_000,
    "a second picture": WHOLE["jpeg"],
    "a film": b"MotionPhoto_Data" + b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8_000,
    "notes of a Samsung": b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1714559400123SEFH" + bytes(40) + b"SEFT",
}  # fmt: skip


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("kind", WHOLE)
def test_what_follows_a_picture_does_not_matter(tmp_path, kind, trailer):
    (tmp_path / "a.png").write_bytes(WHOLE[kind])
    (tmp_path / "b.png").write_bytes(WHOLE[kind] + TRAILERS[trailer])
    assert np.array_equal(read_image(tmp_path / "a.png"), read_image(tmp_path / "b.png"))
    assert image_header(tmp_path / "a.png") == image_header(tmp_path / "b.png")


def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path):
    """As telephones add one with less light, or one of the depth."""
    Image.fromarray(PICTURE).save(
        tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.fromarray(MARKED[::2, ::2])]
    )
    assert read_image(tmp_path / "a.jpg").shape == PICTURE.shape


@pytest.mark.parametrize("kind", WHOLE)
def test_a_picture_that_is_cut_is_noticed_wherever(kind):
    for size in range(1, len(WHOLE[kind])):
        assert cut_short(io.BytesIO(WHOLE[kind][:size])), size
    assert cut_short(io.BytesIO(WHOLE[kind])) == ""


@pytest.mark.parametrize("kind", [kind for kind in WHOLE if not kind.startswith("bmp")])
def test_a_picture_whose_rest_was_never_written_is_noticed(kind):
    """After a crash or a full disk: the size is right, but the end is zeros."""
    half = len(WHOLE[kind]) // 2
    assert cut_short(io.BytesIO(WHOLE[kind][:half] + bytes(2_000_000))).endswith("is cut short")


@pytest.mark.parametrize("stated", [0, 54, 10**9])
def test_the_size_that_a_bmp_states_may_be_wrong(tmp_path, stated):
    content = bytearray(WHOLE["bmp"])
    content[2:6] = stated.to_bytes(4, "little")
    (tmp_path / "a.bmp").write_bytes(content)
    assert np.array_equal(read_image(tmp_path / "a.bmp"), PICTURE)
    (tmp_path / "a.bmp").write_bytes(content[:-1])
    with pytest.raises(InputError, match="the BMP file is cut short"):
        read_image(tmp_path / "a.bmp")


def test_a_bmp_that_starts_above_is_measured_like_one_that_starts_below(tmp_path):
    content = bytearray(coded(PICTURE[::-1], "bmp"))
    content[22:26] = (-24).to_bytes(4, "little", signed=True)
    (tmp_path / "a.bmp").write_bytes(content)
    assert np.array_equal(read_image(tmp_path / "a.bmp"), PICTURE)
    assert cut_short(io.BytesIO(content[:-1])) == "the BMP file is cut short"


# ------------------------------------------------------------------ kinds of pixels
IMAGE = Image.fromarray(PICTURE)
KINDS = {
    "png of colours": ("png", IMAGE, {}),
    "png of grays": ("png", IMAGE.convert("L"), {}),
    "png of bits": ("png", IMAGE.convert("1"), {}),
    "png of a palette": ("png", IMAGE.quantize(200), {}),
    "png of 4 bits": ("png", IMAGE.quantize(12), {"bits": 4}),
    "png with alpha": ("png", IMAGE.convert("RGBA"), {}),
    "png of grays with alpha": ("png", IMAGE.convert("LA"), {}),
    "png with a colour left out": ("png", IMAGE, {"transparency": (1, 2, 3)}),
    "png with a gray left out": ("png", IMAGE.convert("L"), {"transparency": 7}),
    "jpeg of colours": ("jpeg", IMAGE, {}),
    "jpeg of inks": ("jpeg", IMAGE.convert("CMYK"), {}),
    "jpeg without subsampling": ("jpeg", IMAGE, {"subsampling": 0}),
    "bmp of a palette": ("bmp", IMAGE.quantize(200), {}),
    "bmp of bits": ("bmp", IMAGE.convert("1"), {}),
    "bmp with alpha": ("bmp", IMAGE.convert("RGBA"), {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_header_and_pixels_agree_for_every_kind_of_pixel(tmp_path, kind):
    suffix, image, options = KINDS[kind]
    image.save(tmp_path / f"a.{suffix}", **options)
    pixels = read_image(tmp_path / f"a.{suffix}")
    wanted = "gray" if pixels.ndim == 2 else "colour"
    assert image_header(tmp_path / f"a.{suffix}") == ((40, 24), wanted)
    with Image.open(tmp_path / f"a.{suffix}") as again:
        mode = "L" if pixels.ndim == 2 else "RGB"
        expected = np.asarray(again.convert(mode)).astype(int)
    assert np.abs(pixels - expected).mean() < 2


def test_sixteen_bits_are_told_from_the_header(tmp_path):
    deep = Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257)
    deep.save(tmp_path / "a.png")
    assert image_header(tmp_path / "a.png") == ((40, 24), "16-bit")


def test_what_is_no_image_has_no_header(tmp_path):
    (tmp_path / "a.png").write_bytes(b"this is no image")
    assert image_header(tmp_path / "a.png") is None
    assert image_header(tmp_path / "missing.png") is None
    assert image_header(tmp_path) is None
