"""The kernel of a page: this interpreter, whatever the user has set up for other notebooks."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import nbformat
import pytest
from memaa_book import build, pages
from memaa_book.processes import THREADS, RunFailed, run_forked

from tests.book.test_publish import code_outputs, project, write_page

__all__ = ["project"]


@pytest.mark.slow
def test_nothing_of_the_users_own_settings_reaches_a_page(project, tmp_path, monkeypatch):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("count = 99\nprint = None\n")
    (tmp_path / "mine.py").write_text("dataset = 99\nprint = None\n")
    kernels = tmp_path / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "x", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    for name, value in {
        "IPYTHONDIR": tmp_path / "ipython",
        "PYTHONSTARTUP": tmp_path / "mine.py",
        "JUPYTER_PATH": tmp_path / "jupyter",
        "PYTHONWARNINGS": "error",
        "MPLBACKEND": "agg",
        "HOME": tmp_path / "nowhere",
    }.items():
        monkeypatch.setenv(name, str(value))
    code = "import matplotlib.pyplot as plt, cv2, sys\nplt.plot([1, 2])\nprint(sys.executable)"
    code += "\nprint(cv2.getNumThreads())"
    source = write_page(project / "notebooks", "09_drawn", code)
    pages.execute(source, project / "out.ipynb", {})
    outputs = nbformat.read(project / "out.ipynb", 4).cells[-1].outputs
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert f"{sys.executable}\n1\n" in code_outputs(project / "out.ipynb"), "one thread of OpenCV"


@pytest.mark.slow
def test_a_page_goes_where_names_are_no_text(project):
    target = project / "caf\udce9.ipynb"
    pages.execute(project / "notebooks" / "09_one.md", target, {"count": 2})
    assert code_outputs(Path(target)) == ["casme2 2\n"]


def speak(word: str, status: int) -> int:
    print(word, os.environ["SAID"], Path.cwd())
    print("caf\udce9", file=sys.stderr)
    return status


@pytest.mark.slow
@pytest.mark.parametrize("status", [0, 3])
def test_a_call_in_a_forked_process_has_a_folder_variables_a_log_and_a_status(tmp_path, status):
    log = tmp_path / "log"
    assert run_forked(partial(speak, "word", status), tmp_path, {"SAID": "too"}, log) == status
    assert sorted(log.read_text("utf-8").splitlines()) == ["caf\\udce9", f"word too {tmp_path}"]


@pytest.mark.slow
def test_what_cannot_be_prepared_says_why(project, monkeypatch):
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(project))
    with pytest.raises(RunFailed, match="SMIC") as refused:
        build.prepare_in_process("arms-smic", "laptop")
    assert str(project) in str(refused.value)


@pytest.mark.slow
def test_what_a_whole_book_is_forked_from_holds_the_landmark_model_and_has_one_thread():
    code = (
        "import memaa_book.warm, psutil\n"
        "from memaa_lib.registration import _predictor\n"
        "print(_predictor.cache_info().currsize, psutil.Process().num_threads())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | dict.fromkeys(THREADS, "1"),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert told.stdout == "1 1\n"
