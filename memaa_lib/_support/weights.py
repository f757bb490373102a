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

_SAVE_ALONE = "fetch it again, or save the network's state_dict() alone with torch.save"


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
        If the file is missing or damaged, its name holds no hash, or it holds anything but finite
        weights: what trainers write beside them is not guessed at.
    """
    import torch

    path = Path(path)
    weights_file_digest(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contents = io.BytesIO(path.read_bytes())  # torch leaves a damaged file open
            state = torch.load(contents, map_location="cpu", weights_only=True)
    except (
        UnpicklingError, RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError,
        AttributeError, AssertionError,
    ) as error:  # fmt: skip
        reason = (str(error).splitlines() or [""])[0].split(". ")[0][:120]
        raise InputError(f"{path}: not a file of weights alone ({reason}); {_SAVE_ALONE}") from None
    if not isinstance(state, dict):
        raise InputError(f"{path}: holds no table of weights; {_SAVE_ALONE}")
    if not _is_table(state):
        tables = ", ".join(repr(name) for name, part in state.items() if _is_table(part))
        found = (
            f"a checkpoint, whose weights stand under {tables}" if tables else "no table of weights"
        )
        raise InputError(f"{path}: {found}; {_SAVE_ALONE}")
    for name, values in state.items():
        if values.dtype.is_floating_point and not bool(torch.isfinite(values).all()):
            raise InputError(
                f"{path}: {name} holds values that are not finite, so the training that wrote it "
                "failed; give weights of before"
            )
    return {name: values.detach() for name, values in state.items()}


def _is_table(content: object) -> bool:
    """Whether something is a table of arrays by name, as ``state_dict()`` gives."""
    import torch

    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(name, str) for name in content)
        and all(
            isinstance(part, torch.Tensor) and part.layout == torch.strided and not part.is_meta
            for part in content.values()
        )
    )


def weights_file_digest(path: Path | str) -> str:
    """Return 16 digits of a weights file's sha256, if its name tells the same; ``torch`` stays unloaded."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file")
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    named = re.fullmatch(r".*-([0-9a-f]{8,64})\.pth", path.name)
    if named is None:
        raise InputError(
            f"{path}: the name of a weights file ends in '-', the first 8 digits of its sha256 and "
            f"'.pth', so that damage is noticed; rename it {path.stem}-{digest[:8]}.pth"
        )
    if not digest.startswith(named[1]):
        raise InputError(f"{path}: contents do not match the hash in the name; fetch it again")
    return digest[:16]


def weights_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return 16 digits that change with the name, shape or value of any weight or buffer."""
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}{values.shape}{values.dtype.str}".encode())
        digest.update(values.data)
    return digest.hexdigest()[:16]
