"""Change single operators and constants of a module and see whether its tests notice: `make long CHECK=mutate`.

cosmic-ray makes the changes, in a copy of the project; a sample of them, chosen with a fixed seed, is
tried. Type annotations are left alone: they are never evaluated. Survivors are listed with their place,
for a person to judge, and counted in results/trust.json; those that were judged to change nothing stand
in NO_EFFECT with the reason, and are counted apart. cosmic-ray must be installed: pip install
cosmic-ray==8.7.0.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.long import trust_results

ROOT = trust_results.ROOT
TESTS = {
    "metrics": "tests/test_metrics.py memaa_lib/metrics.py",
    "protocol": (
        "tests/test_protocol.py tests/baselines/test_systems.py memaa_lib/protocol.py "
        "tests/long/test_faults.py::test_a_fold_file_that_says_what_no_fold_says_is_run_again"
    ),
    "texture": "tests/test_texture.py memaa_lib/texture.py",
}
# survivors that were looked into: "module: the changed line" and why nobody can notice it
NO_EFFECT = {
    "protocol: self.epoch = 1": "the first epoch is better than the accuracy of -1 and replaces it",
    "protocol: in_time = (task for task in tasks if time.monotonic() <= deadline)": (
        "no clock reads exactly the deadline"
    ),
    "texture: distance = _distance(rows, columns, window)[: window * 2 + 1, :, :half]": (
        "the mirror images of times that are there already are computed too, and never read"
    ),
}
CONFIG = """[cosmic-ray]
module-path = "memaa_lib/{module}.py"
timeout = 120.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -m 'not slow' {tests}"
[cosmic-ray.distributor]
name = "local"
"""


def annotations(source: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where the type annotations of a module begin and end, as rows and columns."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            found.append(node.returns)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in found
        if node is not None
    ]


def sample(session: Path, source: Path, count: int) -> int:
    """Keep some of a session's changes; return how many there were outside of annotations."""
    idle = annotations(source)
    query = (
        "select job_id, start_pos_row, start_pos_col from mutation_specs "
        "order by start_pos_row, start_pos_col, operator_name, operator_args, occurrence"
    )
    with sqlite3.connect(session) as base:
        every = list(base.execute(query))
        jobs = [
            job
            for job, row, column in every
            if not any(first <= (row, column) < last for first, last in idle)
        ]
        kept = set(random.Random(0).sample(jobs, min(count, len(jobs))))
        for job, _, _ in every:
            if job not in kept:
                base.execute("delete from mutation_specs where job_id = ?", (job,))
                base.execute("delete from work_items where job_id = ?", (job,))
    return len(jobs)


def results(session: Path) -> list[tuple[str, str, int, str]]:
    """Return outcome, operator, line and diff of every change that was tried."""
    query = (
        "select r.test_outcome, m.operator_name, m.start_pos_row, r.diff from work_results r "
        "join mutation_specs m on m.job_id = r.job_id order by m.start_pos_row"
    )
    with sqlite3.connect(session) as base:
        return list(base.execute(query))


def judged(module: str, diff: str) -> str:
    """Return why a survivor's change has no effect, if a person has said so."""
    changed = [line[1:].strip() for line in diff.splitlines() if line[:1] == "+" != line[1:2]]
    return next((NO_EFFECT.get(f"{module}: {line}", "") for line in changed), "")


def main() -> None:
    """Try the changes of the modules that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--count", type=int, default=40, help="changes a module")
    parser.add_argument("--tool", default=str(Path(sys.executable).with_name("cosmic-ray")))
    parser.add_argument("--python", default=sys.executable, help="runs the tests")
    options = parser.parse_args()
    table = trust_results.read("mutation", {})
    for module in options.modules:
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place)
            for name in ("memaa_lib", "tests", "data_manifests"):
                ignored = shutil.ignore_patterns("__pycache__", "*.ipynb")
                shutil.copytree(ROOT / name, copy / name, ignore=ignored)
            shutil.copy(ROOT / "pyproject.toml", copy)
            text = CONFIG.format(module=module, tests=TESTS[module], python=options.python)
            (copy / "config.toml").write_text(text, "utf-8")
            session = copy / "session.sqlite"
            subprocess.run([options.tool, "init", "config.toml", session], cwd=copy, check=True)
            source = copy / "memaa_lib" / f"{module}.py"
            there = sample(session, source, options.count)
            subprocess.run([options.tool, "exec", "config.toml", session], cwd=copy, check=True)
            tried = results(session)
        survivors = [row for row in tried if "SURVIVED" in str(row[0]).upper()]
        idle = sum(bool(judged(module, diff)) for *_, diff in survivors)
        print(
            f"{module}: {len(tried)} of {there} changes tried, {len(survivors)} survived, "
            f"{idle} of them known to change nothing"
        )
        for _, operator, line, diff in survivors:
            print(f"\n{module}:{line} {operator} {judged(module, diff)}\n{diff}")
        table[module] = {
            "there": there,
            "tried": len(tried),
            "survived": len(survivors),
            "no effect": idle,
        }
        trust_results.write("mutation", table)


if __name__ == "__main__":
    main()
