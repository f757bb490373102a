"""What this installation is: versions, machine, cache."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from memaa_lib._support.cache import PARTS, cache_root, check_folder, nearest_existing
from memaa_lib._support.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


PACKAGES = (
    "numpy",
    "scipy",
    "opencv-contrib-python-headless",
    "scikit-image",
    "torch",
    "torchvision",
    "matplotlib",
    "papermill",
    "jupytext",
    "jupyter-book",
)


FREE_GB = 5.0  # what twins, avatars and folds of all data sets need, with room to spare


def commit() -> str:
    """Return the commit of the checkout, ``+`` appended if files differ; "no checkout" outside git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "no checkout"
    return done.stdout.strip() if done.returncode == 0 else "no checkout"


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def cpu_features() -> str:
    """Return the vector instructions that NumPy uses; they can change the last digits of a result."""
    import io

    import numpy as np

    with contextlib.redirect_stdout(io.StringIO()):
        found: Any = np.show_config(mode="dicts")
    extensions = (found or {}).get("SIMD Extensions", {})
    return " ".join([*extensions.get("baseline", []), *extensions.get("found", [])]) or "unknown"


def thread_counts() -> dict[str, int]:
    """Return how many threads each library would use in this process."""
    import cv2

    counts = {"OpenCV": int(cv2.getNumThreads())}
    try:
        import torch

        counts["PyTorch"] = torch.get_num_threads()
    except ImportError:
        pass
    try:
        import threadpoolctl
    except ImportError:
        return counts
    for pool in threadpoolctl.threadpool_info():
        counts[str(pool["internal_api"])] = int(pool["num_threads"])
    return counts


def versions() -> dict[str, str]:
    """Return the installed versions of the main packages, "missing" if there is none."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def locked_versions() -> dict[str, str]:
    """Return the versions that requirements.lock asks for; none outside a checkout."""
    path = ROOT / "requirements.lock"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    pins = [line.split("==") for line in lines if "==" in line]
    return {name: version for name, version in pins}


def examine() -> tuple[list[tuple[str, str]], list[str]]:
    """Collect what ``memaa doctor`` prints.

    Returns
    -------
    rows : list of (str, str)
        Name and value.
    problems : list of str
        One sentence each, with the mend.

    Examples
    --------
    >>> rows, problems = examine()
    >>> rows[0][0]
    'memaa'
    """
    problems = []
    rows = [
        ("memaa", f"{importlib.metadata.version('memaa-companion')} ({commit()})"),
        ("Python", f"{platform.python_version()} on {platform.platform()}"),
        ("processor", f"{processor()}, {os.cpu_count()} cores"),
        ("vector instructions", cpu_features()),
        (
            "threads a process",
            os.environ.get("OMP_NUM_THREADS", "not set: OMP_NUM_THREADS=1 is best"),
        ),
    ]
    locked = locked_versions()
    for name, version in versions().items():
        rows.append((name, version))
        wanted = locked.get(name)
        if wanted and version.split("+")[0] != wanted:
            problems.append(f"{name} is {version}, tested with {wanted}: run make venv")
    rows.append(("GPU", gpu()))
    counts = ", ".join(f"{name} {count}" for name, count in thread_counts().items())
    rows.append(("threads now", counts))
    folder = cache_root()
    sizes = {part: folder_size(folder / part) for part in PARTS if (folder / part).is_dir()}
    rows.append(("cache", f"{folder} ({sum(sizes.values()) / 1e9:.2f} GB)"))
    rows += [(f"  {part}", f"{size / 1e9:.2f} GB") for part, size in sizes.items()]
    try:
        check_folder(folder)
    except InputError as error:
        problems.append(f"the cache: {error}: set MEMAA_CACHE")
    free = shutil.disk_usage(nearest_existing(folder)).free / 1e9
    rows.append(("free disk", f"{free:.0f} GB"))
    if free < FREE_GB:
        problems.append(
            f"{free:.1f} GB free for the cache, {FREE_GB:.0f} GB needed: set MEMAA_CACHE"
        )
    return rows, problems


def gpu() -> str:
    """Return the name of the CUDA device that PyTorch sees, or why there is none."""
    try:
        import torch
    except ImportError:
        return "PyTorch is not installed"
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"


def check_device(device: str, *, here: bool = True) -> None:
    """Refuse a device that there is not; ``here=False`` if another machine does the work."""
    if device not in ("cpu", "cuda"):
        raise InputError(f"device {device!r}: choose cpu or cuda")
    if device == "cpu" or not here:
        return
    try:
        import torch

        torch.zeros(1, device=device)  # a card may be there and not do: driver, age, memory
    except (ImportError, RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0]
        raise InputError(
            f"device cuda: PyTorch can use no GPU here ({reason}); choose cpu"
        ) from None


def folder_size(folder: Path) -> int:
    """Return the bytes below a folder, which need not exist."""
    size = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):  # gone in the meantime, or not to be looked at
                size += os.lstat(os.path.join(place, name)).st_size
    return size
