"""Video containers: whether a file is whole, by the sizes that it states of its parts.

Decoders read what is there and do not say what is not: a copy that broke off would pass for a shorter
recording.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

# MP4, MOV
_BOXES = set(
    b"ftyp styp moov moof mdat free skip wide pnot uuid sidx mfra meta udta emsg prft".split()
)
_CHUNKS = {b"RIFF", b"LIST", b"JUNK", b"idx1"}  # AVI
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # Matroska, WebM
# transport stream: a packet's bytes, where its mark is
_PACKETS = ((188, 0), (192, 4), (204, 0))
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_JPEG_BYTES = 1 << 22  # more than a frame of Motion JPEG has
_CUT = (
    "the file is cut short, so frames are missing; copy it again, or keep what is there with: "
    "ffmpeg -fflags +discardcorrupt -i OLD -c copy NEW"
)
_NO_INDEX = (
    "not a readable video: its index (moov) is missing, as when a recording or a copy breaks off; copy "
    "it again, or rebuild the index with untrunc and a whole video of the same camera"
)


def missing_part(path: Path) -> str:
    """Say what a video file lacks, and how to mend it; empty if it is as long as it states.

    Also empty for what states no sizes, as the raw streams of a coder do.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = _at(file, 0, 1024)
        if start[4:8] in _BOXES:
            return _mp4_lacks(file, size)
        if start[:4] == b"RIFF":
            cut = _avi_is_cut(file, size)
        elif start[:4] == _EBML:
            cut = _matroska_is_cut(file, size)
        elif start[:3] == _JPEG_START:
            end = _at(file, max(0, size - _JPEG_BYTES), _JPEG_BYTES)
            cut = end.rfind(_JPEG_START) > end.rfind(_JPEG_END)
        else:
            cut = any(
                size % length and set(start[mark::length]) == {0x47} for length, mark in _PACKETS
            )
        return _CUT if cut else ""


def _at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _mp4_lacks(file: BinaryIO, size: int) -> str:
    """Boxes: four bytes of length, four of kind; length 1: eight more bytes hold it, 0: to the end."""
    position, kind, seen = 0, b"", set()
    while position + 8 <= size:
        head = _at(file, position, 16)
        length, kind = int.from_bytes(head[:4]), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:])
        if kind not in _BOXES or 0 < length < 8:
            break  # what some cameras and repair tools leave behind the last box
        position = position + length if length else size
        if position <= size:
            seen.add(kind)
    if b"moov" not in seen:
        return _NO_INDEX
    cut = (position > size and kind == b"mdat") or kind == b"moof"  # data follow each of these
    return _CUT if cut else ""


def _avi_is_cut(file: BinaryIO, size: int) -> bool:
    """Chunks: four bytes of kind, four of length; the list ``movi`` holds the frames.

    The length of the whole is not asked: many programs write a wrong one.
    """
    position = 0
    while position + 12 <= size:
        head = _at(file, position, 12)
        kind, length = head[:4], int.from_bytes(head[4:8], "little")
        if kind not in _CHUNKS:
            break
        end = position + 8 + length + length % 2
        if head[8:] == b"movi" and length < 2**32 - 1 and end - length % 2 > size:
            return True
        position = position + 12 if kind == b"RIFF" else end
    return False


def _matroska_is_cut(file: BinaryIO, size: int) -> bool:
    """Elements: a kind and a length of 1 to 8 bytes each, whose leading zeros say how many."""
    position = 0
    while position < size:
        head = _at(file, position, 12)
        kind_bytes = 9 - head[0].bit_length()
        first = head[kind_bytes] if kind_bytes < len(head) else 0
        if not first or kind_bytes > 4:
            break
        length_bytes = 9 - first.bit_length()
        mask = (1 << 7 * length_bytes) - 1
        length = int.from_bytes(head[kind_bytes : kind_bytes + length_bytes]) & mask
        position += kind_bytes + length_bytes
        if length == mask:  # not known when it was written, as in a live recording: look inside
            continue
        position += length
        if head[:kind_bytes] == _SEGMENT:
            break
    return position > size
