"""Pages that say they run without PyTorch import nothing that needs it."""

import re
import subprocess
import sys

import pytest
from memaa_book import pages

NOTEBOOKS = sorted((pages.ROOT / "notebooks").glob("*.md"))
WITHOUT = [path for path in NOTEBOOKS if not pages.front_matter(path).get("torch", False)]
# runs what a page imports where neither torch nor torchvision can be found
RUN = """
import ast, sys
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nowhere())
import jupytext
for path in sys.argv[1:]:
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "code":
            code = ast.parse(cell.source)
            code.body = [n for n in code.body if isinstance(n, (ast.Import, ast.ImportFrom))]
            exec(compile(code, path, "exec"), {})
"""


def imported(paths) -> str:
    command = [sys.executable, "-c", RUN, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, cwd=pages.ROOT).stderr


@pytest.mark.slow
def test_pages_without_torch_import_without_torch():
    assert imported(WITHOUT) == ""


def test_the_course_names_the_pages_that_need_torch():
    text = (pages.ROOT / "book" / "course.md").read_text("utf-8")
    (sentence,) = re.findall(r"All pages run without it but two, (.*?);", text)
    labels = {
        re.search(r"\((page-[\w-]+)\)=", p.read_text("utf-8"))[1]
        for p in set(NOTEBOOKS) - set(WITHOUT)
    }
    assert set(re.findall(r"page-[\w-]+", sentence)) == labels
