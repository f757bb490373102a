"""Where the data are: one order of who is asked, and folders that hold something else."""

from pathlib import Path

import pytest

from memaa_lib import InputError
from memaa_lib.datasets import load_index, roots
from memaa_lib.datasets.roots import configured_root, export_roots, given_roots, released_root
from memaa_lib.paper import DATASETS
from tests.fake_releases import no_roots, trees

__all__ = ["no_roots", "trees"]


@pytest.fixture
def project(tmp_path, monkeypatch, no_roots):
    """A project's folder that is not above the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setattr(roots, "ROOT", folder)
    return folder


def stated(file: Path, name: str) -> Path:
    """State a relative root of SMIC in a file; return the folder that is meant."""
    file.with_name(name).mkdir()
    file.write_text(f'[roots]\nsmic = "{name}"\n')
    return file.with_name(name)


def test_who_is_asked_in_which_order(project, tmp_path, monkeypatch):
    assert configured_root("smic") is None
    beside_the_project = stated(project / "memaa.toml", "beside")
    assert configured_root("smic") == beside_the_project
    above = stated(Path.cwd().parent / "memaa.toml", "above")
    assert configured_root("smic") == above
    here = stated(Path.cwd() / "memaa.toml", "here")
    assert configured_root("smic") == here
    # relative, in the shell: counts from where the user stands
    (Path.cwd() / "shell").mkdir()
    monkeypatch.setenv("MEMAA_SMIC_ROOT", "shell")
    assert configured_root("smic") == Path.cwd() / "shell"
    (Path.cwd() / "given").mkdir()
    assert configured_root("smic", "given") == Path.cwd() / "given"


def test_a_file_that_does_not_name_the_set_is_passed_over(project):
    expected = stated(project / "memaa.toml", "beside")
    (Path.cwd() / "memaa.toml").write_text("[roots]\n")
    assert configured_root("smic") == expected
    assert configured_root("samm") is None


def test_another_folder_finds_what_was_exported(project, trees, tmp_path, monkeypatch):
    trees.smic(Path.cwd() / "r")
    monkeypatch.setenv("MEMAA_SMIC_ROOT", "r")
    trees.samm(project / "s")
    (project / "memaa.toml").write_text('[roots]\nsamm = "s"\n')
    environ: dict[str, str] = {}
    export_roots(environ)
    assert environ == {
        "MEMAA_SMIC_ROOT": str(Path.cwd() / "r"),
        "MEMAA_SAMM_ROOT": str(project / "s"),
        "MEMAA_HERE": str(Path.cwd()),
    }


def test_a_page_sees_the_configuration_of_whoever_runs_it_and_no_other(
    project, tmp_path, monkeypatch
):
    stated(project / "memaa.toml", "beside").parent.rename(tmp_path / "moved")
    (tmp_path / "moved" / "notebooks").mkdir()
    export_roots()
    monkeypatch.chdir(tmp_path / "moved" / "notebooks")  # below a configuration that is not theirs
    assert configured_root("smic") is None
    monkeypatch.delenv("MEMAA_HERE")
    assert configured_root("smic") == tmp_path / "moved" / "beside"


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_folder_without_a_release_is_refused_with_an_example(project, tmp_path, dataset):
    with pytest.raises(InputError) as refused:
        released_root(dataset, tmp_path)
    message = str(refused.value)
    assert message.startswith(
        f"{tmp_path}: no {load_title(dataset)} frames found; expected folders"
    )
    assert {"smic": "s1_ne_01", "casme2": "EP02_01f", "samm": "006_1_2"}[dataset] in message


def load_title(dataset: str) -> str:
    return {"smic": "SMIC-HS", "casme2": "CASME II", "samm": "SAMM"}[dataset]


def test_frames_without_their_spreadsheet_are_no_release(project, trees, tmp_path):
    root = trees.casme2(tmp_path / "r", sheet="")
    with pytest.raises(InputError, match="no annotation file of CASME II found"):
        released_root("casme2", root)


def test_the_search_ends_in_a_folder_that_holds_everything(project, tmp_path, monkeypatch, trees):
    for number in range(12):
        (tmp_path / f"a{number:02d}").mkdir()
    root = trees.smic(tmp_path / "r")
    assert released_root("smic", tmp_path) == tmp_path
    monkeypatch.setattr("memaa_lib.datasets.layout.MAX_FOLDERS", 10)
    assert released_root("smic", root) == root
    with pytest.raises(InputError, match="no SMIC-HS frames found"):
        released_root("smic", tmp_path)


# ------------------------------------------------------------------ --root
def test_one_folder_or_one_for_each_set(project, trees, tmp_path):
    smic = trees.smic(tmp_path / "above" / "smic")
    casme2 = trees.casme2(tmp_path / "above" / "casme2")
    samm = trees.samm(tmp_path / "above" / "samm")
    assert given_roots([], ["smic"]) is None
    assert given_roots([str(smic)], ["smic"]) == {"smic": smic}
    assert given_roots([f"smic={smic}"], ["smic"]) == {"smic": smic}
    all_of_them = {"smic": smic, "casme2": casme2, "samm": samm}
    assert given_roots([f"{name}={path}" for name, path in all_of_them.items()], DATASETS) == (
        all_of_them
    )
    assert given_roots([str(tmp_path / "above")], DATASETS) == all_of_them
    assert given_roots([f"samm={samm}"], DATASETS) == {"samm": samm}  # the others: as configured
    odd = trees.smic(tmp_path / "x=y")
    assert given_roots([str(odd)], ["smic"]) == {"smic": odd}
    assert len(load_index("composite", all_of_them)) == len(
        load_index("composite", odd.parent / "above")
    )


@pytest.mark.parametrize(
    ("texts", "members", "message"),
    [
        (["gone"], ["smic"], "gone: no such folder (the root given for smic)"),
        (["casme2=gone"], ["smic"], "--root casme2=gone: expected one folder for each of smic"),
        (["smic=.", "smic=."], ["smic"], "--root smic=.: expected one folder for each of smic"),
        ([".", "."], ["smic"], "--root .: several roots are given; name the set of each"),
        (["fer=gone"], ["smic"], "fer=gone: no such folder"),
        (["."], DATASETS, "smic: no such folder"),
        (["."], ["smic"], "no SMIC-HS frames found"),
    ],
)  # fmt: skip
def test_wrong_roots_are_refused_by_what_was_given(project, texts, members, message):
    with pytest.raises(InputError) as refused:
        given_roots(texts, members)
    assert message in str(refused.value)
