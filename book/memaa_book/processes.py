"""Processes that a build starts and can stop: commands, calls, and the kernels in which notebooks run.

A kernel would import the library anew, and that takes longer than what many a page computes. So kernels, and
calls that prepare pages, are forked from one process that has imported it, :mod:`multiprocessing`'s fork
server. They are always this interpreter, whatever other Python is installed as Jupyter's ``python3``.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from memaa_lib._support.errors import InputError

PATIENCE = 8  # s that a process has to tidy up after Ctrl-C
INLINE = "module://matplotlib_inline.backend_inline"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# pydevd warns that modules of Python's own are frozen, which matters to who sets breakpoints in them
NO_CHECK = "PYDEVD_DISABLE_FILE_VALIDATION"
# what most pages import
PRELOADED = (
    "memaa_book.cli",
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "matplotlib.pyplot",
    "pandas",
    "scipy.stats",
    "memaa_lib.experiments.comparison",
    "memaa_lib.experiments.ablations",
    "memaa_lib.figures",
)


class RunFailed(InputError):
    """A notebook, or the builder of pages, failed; the message says where the rest is."""


_stopping = threading.Event()
_starting = threading.Lock()
_processes: set[subprocess.Popen[str] | ForkedProcess] = set()


def run_stoppable(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, in a block of :func:`ending_processes`."""
    with _starting:
        if _stopping.is_set():
            raise RunFailed("stopped")
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | environment, text=True,
            errors="backslashreplace",  # names may be in it that are no text
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        _processes.add(process)
    out, err = process.communicate()
    _processes.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@contextlib.contextmanager
def ending_processes() -> Iterator[None]:
    """End what still runs when the block is stopped, and let nothing else begin.

    A terminal sends Ctrl-C to all commands, but ``kill`` reaches the main process alone.
    """
    _stopping.clear()
    try:
        yield
    except BaseException:
        with _starting:
            _stopping.set()
            left = list(_processes)
        for process in left:
            process.terminate()
        for process in left:
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        raise


# ------------------------------------------------------------------ forked processes
# fork after the start of a graphical system is not safe on macOS
_context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")


def start_server(*more: str) -> None:
    """Start the fork server if there is none; it imports what processes will be forked with, and ``more``."""
    if _context.get_start_method() != "forkserver":
        return
    _context.set_forkserver_preload([*PRELOADED, *more])
    # who makes warnings errors means their own code, not what other people's does when it is imported
    warnings = os.environ.pop("PYTHONWARNINGS", None)
    # a process is forked safely as long as it has one thread
    given = {name: "1" for name in (*THREADS, NO_CHECK) if name not in os.environ}
    os.environ.update(given)
    forkserver.ensure_running()
    for name in given:
        del os.environ[name]
    if warnings is not None:
        os.environ["PYTHONWARNINGS"] = warnings


class ForkedProcess(_context.Process):  # type: ignore[misc, name-defined]
    """A forked process, with the methods of :class:`subprocess.Popen` that Jupyter asks for."""

    stdin = stdout = stderr = None

    def run(self) -> None:
        """Do what it was made for, and then what is due at exit: Python sees to that from 3.13 on."""
        gc.freeze()  # what the server imported is kept: no use in searching it for what can go
        try:
            super().run()
        finally:
            atexit._run_exitfuncs()

    def begin(self) -> None:
        """Start it, in a block of :func:`ending_processes`."""
        with _starting:
            if _stopping.is_set():
                raise RunFailed("stopped")
            start_server()
            self.start()
            _processes.add(self)

    def poll(self) -> int | None:
        """Return the exit status, or ``None`` while it lives."""
        return self.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status."""
        self.join(timeout)
        if self.exitcode is None:
            raise subprocess.TimeoutExpired(self.name, timeout or 0)
        _processes.discard(self)
        return int(self.exitcode)

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)


def run_forked(
    call: Callable[[], int], folder: Path, environment: Mapping[str, str], log: Path
) -> int:
    """Make a call in a forked process and return what it returns; all that it says goes to a file."""
    given = (call, folder, os.environ | environment, log)
    process = ForkedProcess(target=_call, args=given)
    process.begin()
    return process.wait()


def _call(call: Callable[[], int], folder: Path, environment: Mapping[str, str], log: Path) -> None:
    """Be the process that :func:`run_forked` waits for."""
    _settle(folder, environment)
    with log.open("w", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    sys.exit(call())


def _settle(folder: Path | str, environment: Mapping[str, str]) -> None:
    """Be in the folder and the environment of who asked for this process, with one thread."""
    import cv2

    # on several threads OpenCV rounds a few pixels otherwise, so a page would depend on the number of cores
    cv2.setNumThreads(1)
    os.setsid()  # Ctrl-C at the terminal is for the main process
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


# ------------------------------------------------------------------ kernels
class ForkedKernel(LocalProvisioner):
    """Starts a kernel as a :class:`ForkedProcess`."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel; the command's last words are the connection file and options."""
        environment = {**os.environ, **kwargs.get("env", {}), "MPLBACKEND": INLINE}
        environment.pop("PYTHONWARNINGS", None)
        process = ForkedProcess(target=be_a_kernel, args=(cmd[3:], kwargs["cwd"], environment))
        process.begin()
        self.process, self.pid, self.pgid = process, process.pid, process.pid
        return self.connection_info


class KernelManager(AsyncKernelManager):
    """Jupyter's manager for kernels that are forked, of this interpreter and in a folder."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How this interpreter is started as a kernel; no other kernel of that name is looked up."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        self.provisioner = ForkedKernel(kernel_id="", kernel_spec=self.kernel_spec, parent=self)
        return await super()._async_pre_start_kernel(**kwargs)


def be_a_kernel(arguments: list[str], folder: str, environment: Mapping[str, str]) -> None:
    """Be the kernel that a notebook asked for: in its folder, with the environment of who asked."""
    import matplotlib
    from ipykernel.kernelapp import IPKernelApp

    _settle(folder, environment)
    # figures go into the notebook, also where a cluster's profile asks for files; matplotlib read the
    # variable when it was imported
    matplotlib.rcParams["backend"] = INLINE
    app = IPKernelApp.instance(parent_handle=os.getppid())
    app.initialize(arguments)
    app.start()
