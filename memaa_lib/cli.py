"""The ``memaa`` command: parse, call, print.

Progress goes to standard error, results to standard output. Exit codes: 0 done, 1 wrong input,
2 wrong usage, 3 some items failed and the rest is done, 130 stopped with Ctrl-C or kill.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from memaa_lib import __version__
from memaa_lib._support.cache import cache_root, check_file, check_folder, given_path, remove_kept
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import end_when_killed, progress
from memaa_lib.profiles import DEFAULT_METHOD, PAPERS_METHOD

app = typer.Typer(
    help="MEMAA companion: magnify clips, make avatars, score predictions, build the book.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)
data_app = typer.Typer(help="The data sets and their synthetic twins.", no_args_is_help=True)
app.add_typer(data_app, name="data")
STOPPED = 130  # exit code after Ctrl-C, as shells have it
MOST_NAMED = 8  # of what is left
PARTLY = 3  # some is done, and the same command goes on from there
NO_PLACE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR,
    errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
)  # fmt: skip
PATHS = ("MEMAA_CACHE", "MEMAA_MANIFESTS", "MEMAA_PROJECT")
# whose remarks are shown besides warnings: which data are read, how long it takes
TOLD = ("memaa_lib.datasets.roots", "memaa_lib.protocol")
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

DATASET = typer.Argument(metavar="DATASET", help="smic, casme2, samm (or composite).")
JOBS = typer.Option("--jobs", min=1, help="Processes.")
ROOT = typer.Option(
    metavar="[SET=]FOLDER",
    help="Folder of the release; of several sets SET=FOLDER, repeated. Default: as configured.",
)
MIXED = typer.Option("--allow-mixed", help="Let real sets and synthetic twins stand together.")


class _Shown(logging.Handler):
    """Shows each line of the log once, between the moves of a progress bar."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        line = f"memaa: {record.getMessage()}"
        if line not in self.lines:
            self.lines.add(line)
            print(line, file=sys.stderr)  # not by a console: a bar in progress would not give way


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show what was warned of, without the line of code that warns."""
    print(f"memaa: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line and end with the documented exit code."""
    logging.getLogger("memaa_lib").handlers = [_Shown()]
    for name in TOLD:
        logging.getLogger(name).setLevel(logging.INFO)
    end_when_killed()
    warnings.showwarning = _show_warning
    try:
        _settle()
        app()  # ends the process itself: 0, or 2 for wrong usage
    except InputError as error:
        _end(1, error)
    except BrokenExecutor:
        _end(
            PARTLY,
            "a worker process was killed, perhaps for want of memory; give the same command again to go on "
            "where it was, with fewer --jobs if need be",
        )
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        _end(
            1,
            f"{error.filename2 or error.filename or 'a file'}: cannot be written ({error.strerror}); make "
            "room or give another place (--out, MEMAA_CACHE, TMPDIR), then the same command again",
        )
    except UnicodeEncodeError as error:
        _end(
            1,
            f"{error.object[:200]!r}: no Unicode (UTF-8), and has to be written as text; give the file or "
            "folder another name",
        )
    except SystemExit as ended:
        if ended.code == STOPPED:
            err.print("stopped; give the same command again to go on where it was")
        raise


def _end(code: int, why: object) -> NoReturn:
    """End the command with a line that says why."""
    err.print(f"memaa: {why}", style="red", markup=False, highlight=False)
    sys.exit(code)


def _settle() -> None:
    """Make what the environment lacks no matter: a locale for every name, a home folder, a place to stand."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        Path.home()
    except RuntimeError:
        # as Debian names it; libraries would make a folder "~" where the user stands
        os.environ["HOME"] = "/nonexistent"
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError("the current folder has been removed; change to another one") from None
    for name in PATHS:
        if os.environ.get(name):  # notebooks and workers run in folders of their own
            os.environ[name] = str(given_path(os.environ[name]))


def _version(show: bool) -> None:
    if show:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """MEMAA companion."""


def print_table(frame: Any, title: str = "") -> None:
    """Print a data frame as a table on standard output."""
    _print_rows([str(column) for column in frame.columns], frame.itertuples(index=False), title)


def _print_rows(header: Sequence[str], rows: Iterable[Sequence[Any]], title: str) -> None:
    """Print rows under a title that may be longer than they are wide; numbers to the right."""
    lines = [["" if value is None else str(value) for value in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column, values in zip(header, zip(*lines, strict=True), strict=True):
        numbers = any(value.replace(".", "").isdigit() for value in values)
        table.add_column(column, justify="right" if numbers else "left", no_wrap=True)
    for line in lines:
        table.add_row(*map(escape, line))
    if title:
        out.print(title, markup=False, highlight=False)
    out.print(table)


def print_scores(scores: Any, title: str = "") -> None:
    """Print a table of ``metrics.scores``: a row a score, a column a part of the clips."""
    rows = [["clips", *scores["clips"]], ["subjects", *scores["subjects"]]]
    names = {
        "uf1": "UF1", "uf1_low": "  95 % from", "uf1_high": "  to",
        "uar": "UAR", "uar_low": "  95 % from", "uar_high": "  to",
        "accuracy": "accuracy", "macro_precision": "macro-precision",
        "majority_uf1": "UF1 of the majority",
    }  # fmt: skip
    rows += [[name, *(f"{value:.4f}" for value in scores[key])] for key, name in names.items()]
    _print_rows(["score", *(str(part) for part in scores.index)], rows, title)


# ------------------------------------------------------------------ data
@data_app.command("list")
def data_list() -> None:
    """Show each data set: licence, where to ask, where it was found, how many clips.

    Example: [bold]memaa data list[/bold]
    """
    import numpy as np

    from memaa_lib.datasets import list_datasets

    table = list_datasets()
    table["fps"] = ["" if np.isnan(fps) else f"{fps:g}" for fps in table["fps"]]
    print_table(table.drop(columns=["title", "root", "licence", "where"]))
    for row in table.to_dict("records"):
        out.print(f"\n{row['dataset']}: {row['title']}", highlight=False, markup=False)
        told = {"root": row["root"], "licence": row["licence"], "where": row["where"]}
        if row["source"] == "problem":
            told = {"problem": told.pop("root"), **told}
        for name, text in told.items():
            out.print(f"  {name}: {text}", highlight=False, markup=False)


@data_app.command("check")
def data_check(
    dataset: Annotated[str, DATASET],
    root: Annotated[list[str] | None, ROOT] = None,
    decode: Annotated[bool, typer.Option(help="Decode every image, not only its header.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Compare a release on disk with its manifest and list every problem.

    Example: [bold]memaa data check casme2 --root /data/CASME2[/bold]
    """
    from memaa_lib.datasets import check
    from memaa_lib.datasets.roots import given_roots

    given = given_roots(root or [], [dataset]) or {}
    report = check(dataset, given.get(dataset), decode=decode)
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
    else:
        out.print(report.to_text(), markup=False, highlight=False)
    if not report.ok:
        raise typer.Exit(1)


@data_app.command("twin")
def data_twin(
    dataset: Annotated[str, DATASET],
    target: Annotated[
        Path | None, typer.Option("--out", help="Where to; default: the cache.")
    ] = None,
    clips: Annotated[int | None, typer.Option(help="About so many clips; default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes other people.")] = 0,
    difficulty: Annotated[float, typer.Option(help="0 (plain) to 1 (hard).")] = 0.5,
    defects: Annotated[bool, typer.Option(help="Put in the release's known holes.")] = False,
    full: Annotated[
        bool, typer.Option(help="Render the annotated clips outside the composite, too.")
    ] = False,
    variant: Annotated[
        str | None, typer.Option(help="Layout of the release, e.g. cropped or raw.")
    ] = None,
    n_jobs: Annotated[int, JOBS] = 2,
) -> None:
    """Render the synthetic twin of a data set, in the set's own layout.

    A stopped run goes on where it was.

    Example: [bold]memaa data twin smic --out twins/smic --clips 12[/bold]
    """
    from memaa_lib.datasets.twins.release import write_twin

    options: dict[str, Any] = {} if variant is None else {"variant": variant}
    if target is not None:
        check_folder(target)
    root = write_twin(
        dataset,
        target,
        clips=clips,
        seed=seed,
        difficulty=difficulty,
        defects=defects,
        full=full,
        n_jobs=n_jobs,
        **options,
    )
    out.print(f"{root}", markup=False, highlight=False)


# ------------------------------------------------------------------ method on any clip
def check_temporal(name: str) -> str:
    """Refuse an unknown filter as wrong usage; here, because the filters take long to import."""
    from memaa_lib.magnification import TEMPORAL_FILTERS

    if name not in TEMPORAL_FILTERS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(TEMPORAL_FILTERS)}")
    return name


@app.command()
def magnify(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video or a folder of frames.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A video's name (.mp4, .webm, ...) or a new folder's."),
    ],
    alpha: Annotated[
        list[float] | None,
        typer.Option(help="Magnification factor, 10 by default; repeat for several results."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second; needed for folders.")
    ] = None,
    temporal: Annotated[
        str,
        typer.Option(callback=check_temporal, help="Temporal filter; a wrong name lists them."),
    ] = "iir",
    low_hz: Annotated[float, typer.Option("--low", help="Lower cut-off, Hz.")] = 0.5,
    high_hz: Annotated[float, typer.Option("--high", help="Upper cut-off, Hz.")] = 10.0,
    method: Annotated[
        Literal["linear", "phase"],
        typer.Option(help="The paper's linear method, or phase-based (slower, carries further)."),
    ] = "linear",
) -> None:
    """Magnify the motion of a clip (paper Sec. 3.1), however long it is.

    Example: [bold]memaa magnify face.mp4 magnified.mp4 --alpha 10[/bold]
    """
    from memaa_lib.streaming import magnified_paths, magnify_file

    alphas = list(dict.fromkeys(alpha or [10.0]))
    chosen = alphas[0] if len(alphas) == 1 else alphas
    paths = magnified_paths(target, chosen)
    check_folder(target.parent)
    count = magnify_file(
        source, target, chosen, fps=fps, band_hz=(low_hz, high_hz), temporal=temporal, method=method
    )
    for path, one in zip(paths, alphas, strict=True):
        out.print(f"wrote {path}: {count} frames, alpha {one:g}", markup=False, highlight=False)


@app.command()
def avatar(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video or a folder of frames.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="An image's name, e.g. face.png.")],
    alpha: Annotated[float, typer.Option(help="Magnification factor; 0 leaves the clip.")] = 10.0,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second; needed for folders.")
    ] = None,
) -> None:
    """Make the Emotion Avatar Image of a clip (paper Sec. 3.1 to 3.4).

    Example: [bold]memaa avatar face.mp4 face.png[/bold]
    """
    from memaa_lib.avatar import clip_to_avatar
    from memaa_lib.clips import IMAGE_SUFFIXES, read_clip, write_image
    from memaa_lib.magnification import as_alphas

    if target.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(f"{target}: expected an image's name that ends in .png, .jpg or .bmp")
    check_file(target)
    as_alphas(alpha)
    with progress("read, make avatar, write", 3) as advance:
        clip = read_clip(source, fps)
        advance()
        image = clip_to_avatar(clip, alpha)
        advance()
        write_image(target, image)
        advance()
    report_files([target], f"from {clip.n_frames} frames, alpha {alpha:g}")


def report_files(files: Sequence[Path], what: str) -> None:
    """Say what was written and where."""
    place = files[0] if len(files) == 1 else f"{files[0].parent}{'/'} ({len(files)} files)"
    out.print(f"wrote {place}: {what}", markup=False, highlight=False)


# ------------------------------------------------------------------ scores and training
@app.command()
def score(
    predictions: Annotated[
        Path,
        typer.Argument(metavar="LOG|CSV", help="MEGC log, or a table that ends in .csv or .tsv."),
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="OURS=YOURS,...",
            help="What your table calls its columns, e.g. label=truth,prediction=guess.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print UF1, UAR and the other scores of any method's predictions (paper Sec. 4.2).

    A table has a row a clip and the columns dataset, subject, clip, label (the truth) and prediction,
    in any order; commas, semicolons, tabs or bars stand between them. Classes are negative,
    positive, surprise or 0, 1, 2.

    Example: [bold]memaa score predictions.csv[/bold]

    Example: [bold]memaa score mine.csv --columns label=truth,prediction=guess[/bold]
    """
    from memaa_lib.metrics import score_file

    scores = score_file(predictions, parse_columns(columns or ""))
    if as_json:
        sys.stdout.write(scores.to_json(orient="index", indent=1, double_precision=15) + "\n")
    else:
        print_scores(scores, str(predictions))


def parse_columns(text: str) -> dict[str, str]:
    """Split ``OURS=YOURS,OURS=YOURS``."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if not all(ours.strip() and yours.strip() for ours, _, yours in pairs):
        raise InputError(f"--columns {text}: expected e.g. label=truth,prediction=guess")
    return {ours.strip(): yours.strip() for ours, _, yours in pairs}


@app.command()
def train(
    dataset: Annotated[str, DATASET],
    protocol: Annotated[str, typer.Option(help="loso, kfold, composite or cross.")] = "loso",
    profile: Annotated[str, typer.Option(help="laptop, paper or paper-pretrained.")] = "laptop",
    target: Annotated[
        Path | None, typer.Option("--out", help="Folder for fold files; default: the cache.")
    ] = None,
    n_jobs: Annotated[int, JOBS] = 2,
    k: Annotated[int, typer.Option(min=2, help="Number of folds of kfold.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the run.")] = 0,
    weights: Annotated[
        Path | None, typer.Option(help="File with the starting weights (imagenet or pretrained).")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    cluster: Annotated[
        str | None, typer.Option(help="Dask scheduler, tcp://host:port, or slurm.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds after which no new fold is begun.")
    ] = None,
    leak: Annotated[
        str | None,
        typer.Option(help="early-stopping: make the field's commonest error, to see its worth."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="motion_avatar, memaa (the paper's), or e.g. bi_woof; a wrong name lists them."
        ),
    ] = DEFAULT_METHOD,
    log: Annotated[
        Path | None, typer.Option(help="File for the predictions in the challenge's log format.")
    ] = None,
    root: Annotated[list[str] | None, ROOT] = None,
    allow_mixed: Annotated[bool, MIXED] = False,
) -> None:
    """Train and test a system fold by fold (paper Sec. 4).

    The default is the motion avatar: the paper's avatar with the face at rest, which it lacks. It takes
    minutes and learns on photographed faces, too. --method memaa is the paper's own, ResNet-34 on
    avatars (Sec. 3.5); other names are the systems that it is compared with. Finished folds are kept: a
    stopped run goes on at the next fold.

    Example: [bold]memaa train smic[/bold]

    Example: [bold]memaa train smic --method memaa --profile paper[/bold]

    Example: [bold]memaa train composite --protocol composite --method bi_woof[/bold]
    """
    from memaa_lib import metrics
    from memaa_lib import protocol as protocols
    from memaa_lib.datasets.roots import given_roots

    options: dict[str, Any] = {"weights": weights, "device": device, "leak": leak}
    if method != PAPERS_METHOD:
        if weights or leak or device != "cpu":
            raise InputError(
                f"--method {method}: runs on the processor, from nothing; leave out --weights, "
                f"--device and --leak, or give --method {PAPERS_METHOD}"
            )
        options = {}
    if log is not None:
        check_file(log)
    roots = given_roots(root or [], protocols.members_of(dataset, protocol))
    results = protocols.train(
        dataset, method, protocol, profile, root=roots, allow_mixed=allow_mixed, k=k, seed=seed,
        n_jobs=n_jobs, out=target, cluster=cluster, time_limit=time_limit, **options,
    )  # fmt: skip
    title = f"{results.data}\n{dataset}, {protocol}, {method}, {profile} profile, "
    title += f"starting from {results.start}"
    if log is not None:
        metrics.write_megc_log(results.predictions, log)
    print_scores(results.scores(), f"{title}, LEAKING ({leak})" if leak else title)
    out.print(
        f"digest {results.digest}, fold files: {results.folder}", markup=False, highlight=False
    )
    if not results.complete:
        err.print("the time limit came first; give the same command again to go on")
        raise typer.Exit(3)


@app.command()
def reference(
    what: Annotated[
        Literal["runs", "starts", "arms", "systems", "published", "repair"],
        typer.Argument(
            help="runs or starts (page 07), arms (10), systems or published (13), repair (15)."
        ),
    ],
    dataset: Annotated[str, DATASET],
    protocol: Annotated[str, typer.Option(help="loso, kfold, composite or cross.")] = "loso",
    profile: Annotated[str, typer.Option(help="laptop, paper or paper-pretrained.")] = "laptop",
    target: Annotated[
        Path | None, typer.Option("--out", help="File; default: in results/, for the book.")
    ] = None,
    n_jobs: Annotated[int, JOBS] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the run.")] = 0,
    root: Annotated[list[str] | None, ROOT] = None,
    allow_mixed: Annotated[bool, MIXED] = False,
) -> None:
    """Run what takes too long for a page and keep it as a reference run, which pages then read.

    Example: [bold]memaa reference arms smic[/bold]

    Example: [bold]memaa reference systems composite --protocol kfold[/bold]

    Example: [bold]memaa reference published composite --protocol kfold --profile paper[/bold]
    """
    from memaa_lib.datasets.roots import given_roots
    from memaa_lib.experiments import ablations, comparison, reference_runs, repair
    from memaa_lib.protocol import members_of

    experiments: dict[str, Any] = {
        "runs": reference_runs.leak,
        "starts": reference_runs.starts,
        "arms": ablations.every_arm,
        "systems": comparison.systems,
        "published": comparison.published,
        "repair": repair.ladder,
    }
    name = f"cross-{dataset}" if protocol == "cross" else dataset
    file = target or reference_runs.results_folder() / what / f"{name}.json"
    roots = given_roots(root or [], members_of(dataset, protocol))
    data = reference_runs.keep(
        file, experiments[what], dataset, protocol, profile, seed=seed, n_jobs=n_jobs,
        root=roots, allow_mixed=allow_mixed,
    )  # fmt: skip
    out.print(f"wrote {file}: {data}", markup=False, highlight=False)


# ------------------------------------------------------------------ upkeep
@app.command()
def doctor() -> None:
    """Print versions, machine, caches and data roots, and check that they will do.

    Example: [bold]memaa doctor[/bold]
    """
    from memaa_lib._support.machine import examine
    from memaa_lib.datasets.roots import data_root
    from memaa_lib.paper import DATASETS

    rows, problems = examine()
    for dataset in DATASETS:
        text, problem = data_root(dataset)
        rows.append((f"{dataset} data", text))
        problems += [problem] if problem else []
    table = Table(show_header=False)
    for name, value in rows:
        table.add_row(name, escape(value))  # a path may hold brackets
    out.print(table)
    for problem in problems:
        err.print(f"problem: {problem}", style="red", markup=False, highlight=False)
    if problems:
        raise typer.Exit(1)


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove what memaa keeps in its cache: twins, avatars, trained folds. All of it can be made again.

    Files of yours in the same folder stay, and so does what a link points to.

    Example: [bold]memaa clean --yes[/bold]
    """
    folder = cache_root()
    if not os.path.lexists(folder):
        out.print(f"{folder}: nothing there", markup=False, highlight=False)
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: no folder; MEMAA_CACHE names the folder of the cache")
    if not yes:
        typer.confirm(f"Remove what memaa keeps in {folder}?", abort=True)
    left, failures = remove_kept(folder)
    stays = f"; what is not memaa's stays: {in_short(left)}" if left else ""
    out.print(f"removed what memaa kept in {folder}{stays}", markup=False, highlight=False)
    for failure in failures:
        err.print(f"cannot be removed: {failure}", style="red", markup=False, highlight=False)
    if failures:
        raise typer.Exit(PARTLY)


def in_short(paths: Sequence[Path]) -> str:
    """Name the first few of many paths.

    Examples
    --------
    >>> in_short([Path("a"), Path("b")])
    'a, b'
    """
    more = len(paths) - MOST_NAMED
    return ", ".join(str(path) for path in paths[:MOST_NAMED]) + (
        f" and {more} more" if more > 0 else ""
    )


if __name__ == "__main__":
    main()
