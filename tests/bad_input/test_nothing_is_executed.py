"""Habits that keep data from becoming code, looked for in the source itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for pattern in ("memaa_lib/**/*.py", "tools/*.py", "benchmarks/*.py", "book/_ext/*.py")
    for path in ROOT.glob(pattern)
)
FORBIDDEN_CALLS = {
    "eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.dump",
    "pickle.dumps", "pickle.Unpickler", "joblib.load", "joblib.dump", "pd.read_pickle", "shelve.open",
    "marshal.loads", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "dill.load", "cloudpickle.load",
}  # fmt: skip


def problems(source: str) -> list[str]:
    """Calls that would run what they read, or hand a line to a shell."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in FORBIDDEN_CALLS:
            found.append(f"line {node.lineno}: {name}")
        shell = given.get("shell")
        if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
            found.append(f"line {node.lineno}: shell=")
        if name == "torch.load" and getattr(given.get("weights_only"), "value", 0) is not True:
            found.append(f"line {node.lineno}: torch.load without weights_only=True")
        if name == "np.load" and getattr(given.get("allow_pickle"), "value", False) is not False:
            found.append(f"line {node.lineno}: np.load with allow_pickle")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_data_is_run(path):
    assert problems(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "eval(x)", "pickle.loads(x)", "subprocess.run(x, shell=True)", "torch.load(x)",
        "np.load(x, allow_pickle=True)", "torch.load(x, weights_only=False)", "yaml.load(x)",
    ],
)  # fmt: skip
def test_the_lint_sees_what_it_is_for(line):
    assert problems(line)


def test_no_notebook_calls_a_shell():
    import jupytext

    for path in sorted((ROOT / "notebooks").glob("*.md")):
        for cell in jupytext.read(path).cells:
            if cell.cell_type == "code":
                assert not [
                    line for line in cell.source.splitlines() if line.startswith(("!", "%"))
                ]
                assert problems(cell.source) == [], path.name
