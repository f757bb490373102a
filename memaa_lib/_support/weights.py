"""Weights files, named after their contents as torchvision names them; nothing in them is executed."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # torch.load raises it where a file holds more than arrays
from typing import TYPE_CHECKING

from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError

if TYPE_CHECKING:
    import torch

StateDict = dict[str, "torch.Tensor"]
"""Weights and buffers by name, as torch keeps them."""


def write_weights(state: Mapping[str, torch.Tensor], folder: Path | str, stem: str) -> Path:
    """Write weights as ``folder/stem-xxxxxxxx.pth``, the digits being the start of the file's sha256."""
    import torch

    # Through memory, since torch writes the name of an open file into the file.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    contents = buffer.getvalue()
    target = Path(folder) / f"{stem}-{hashlib.sha256(contents).hexdigest()[:8]}.pth"
    with atomic_path(target) as temporary:
        temporary.write_bytes(contents)
    return target


def read_weights(path: Path | str) -> StateDict:
    """Read a weights file whose name ends in the start of its sha256; nothing in it is executed.

    Parameters
    ----------
    path
        A file like ``resnet34-b627a593.pth``.

    Returns
    -------
    dict of torch.Tensor

    Raises
    ------
    InputError
        If the file is missing or damaged, or its name holds no hash.
    """
    import torch

    path = Path(path)
    weights_file_digest(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contents = io.BytesIO(path.read_bytes())  # torch leaves a damaged file open
            state = torch.load(contents, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise InputError(
            f"{path}: not a file of weights alone ({reason}); fetch it again"
        ) from None
    if not isinstance(state, dict):
        raise InputError(f"{path}: holds no table of weights")
    return state


def weights_file_digest(path: Path | str) -> str:
    """Return 16 digits of a weights file's sha256, if its name tells the same; ``torch`` stays unloaded."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    named = re.fullmatch(r".*-([0-9a-f]{8,64})\.pth", path.name)
    if named is None:
        raise InputError(
            f"{path}: the name of a weights file ends in '-', the first 8 digits of its sha256 and "
            "'.pth', so that damage is noticed"
        )
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if not digest.startswith(named[1]):
        raise InputError(f"{path}: contents do not match the hash in the name; fetch it again")
    return digest[:16]


def weights_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return 16 digits that change with the name, shape or value of any weight or buffer."""
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}{values.shape}{values.dtype.str}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]
