"""The ``memaa`` command: parse, call, print.

Progress goes to standard error, results to standard output. Exit codes: 0 done, 1 wrong input,
2 wrong usage, 3 some items failed and the rest is done, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from rich.console import Console
from rich.table import Table

from memaa_lib import __version__
from memaa_lib.storage import InputError, cache_root, progress

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
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

Temporal = Literal["iir", "butterworth", "ideal", "onset"]
DATASET = typer.Argument(metavar="DATASET", help="smic, casme2, samm (or composite).")


def main() -> None:
    """Run the command line and end with the documented exit code."""
    try:
        app()  # ends the process itself: 0, or 2 for wrong usage
    except InputError as error:
        err.print(f"memaa: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)
    except SystemExit as ended:
        if ended.code == STOPPED:
            err.print("stopped; give the same command again to go on where it was")
        raise


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
    table = Table(title=title or None)
    for column in frame.columns:
        table.add_column(str(column))
    for row in frame.itertuples(index=False):
        table.add_row(*("" if value is None else str(value) for value in row))
    out.print(table)


def print_scores(scores: Any, title: str = "") -> None:
    """Print a table of ``metrics.scores``: a row a score, a column a part of the clips."""
    table = Table("score", *(str(part) for part in scores.index), title=title or None)
    table.add_row("clips", *(str(count) for count in scores["clips"]))
    table.add_row("subjects", *(str(count) for count in scores["subjects"]))
    for name, label in {"uf1": "UF1", "uar": "UAR"}.items():
        table.add_row(label, *(f"{value:.4f}" for value in scores[name]))
        bounds = zip(scores[f"{name}_low"], scores[f"{name}_high"], strict=True)
        table.add_row("  95 %", *(f"{low:.4f} to {high:.4f}" for low, high in bounds))
    table.add_row("accuracy", *(f"{value:.4f}" for value in scores["accuracy"]))
    table.add_row("macro-precision", *(f"{value:.4f}" for value in scores["macro_precision"]))
    table.add_row("UF1 of the majority", *(f"{value:.4f}" for value in scores["majority_uf1"]))
    out.print(table)


# ------------------------------------------------------------------ data
@data_app.command("list")
def data_list() -> None:
    """Show each data set: licence, where to ask, where it was found, how many clips.

    Example: [bold]memaa data list[/bold]
    """
    from memaa_lib.datasets import list_datasets

    table = list_datasets()
    print_table(table.drop(columns=["title", "root", "licence", "where"]))
    for row in table.to_dict("records"):
        out.print(f"\n{row['dataset']}: {row['title']}", highlight=False, markup=False)
        for name in ("root", "licence", "where"):
            out.print(f"  {name}: {row[name]}", highlight=False, markup=False)


@data_app.command("check")
def data_check(
    dataset: Annotated[str, DATASET],
    root: Annotated[
        Path | None, typer.Option(help="Folder of the release; default: as configured.")
    ] = None,
    decode: Annotated[bool, typer.Option(help="Decode every image, not only its header.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Compare a release on disk with its manifest and list every problem.

    Example: [bold]memaa data check casme2 --root /data/CASME2[/bold]
    """
    from memaa_lib.datasets import check

    report = check(dataset, root, decode=decode)
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
    n_jobs: Annotated[int, typer.Option("--jobs", help="Processes.")] = 2,
) -> None:
    """Render the synthetic twin of a data set, in the set's own layout.

    A stopped run goes on where it was.

    Example: [bold]memaa data twin smic --out twins/smic --clips 12[/bold]
    """
    from memaa_lib.synthetic.release import write_twin

    options: dict[str, Any] = {} if variant is None else {"variant": variant}
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
@app.command()
def magnify(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video or a folder of frames.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="A video's name (.mp4) or a new folder's.")
    ],
    alpha: Annotated[float, typer.Option(help="Magnification factor.")] = 10.0,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second; needed for folders.")
    ] = None,
    temporal: Annotated[Temporal, typer.Option(help="Temporal filter.")] = "iir",
    low_hz: Annotated[float, typer.Option("--low", help="Lower cut-off, Hz.")] = 0.5,
    high_hz: Annotated[float, typer.Option("--high", help="Upper cut-off, Hz.")] = 10.0,
) -> None:
    """Magnify the motion of a clip (paper Sec. 3.1).

    Example: [bold]memaa magnify face.mp4 magnified.mp4 --alpha 10[/bold]
    """
    from memaa_lib.clips import read_clip, write_clip
    from memaa_lib.magnification import magnify as magnify_frames

    check_target(target)
    with progress("read, magnify, write", 3) as advance:
        clip = read_clip(source, fps)
        advance()
        frames = magnify_frames(
            clip.frames, clip.fps, alpha, band_hz=(low_hz, high_hz), temporal=temporal
        )
        advance()
        files = write_clip(target, frames, clip.fps)
        advance()
    report_files(files, f"{clip.n_frames} frames, alpha {alpha:g}")


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

    if target.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(f"{target}: expected an image's name that ends in .png, .jpg or .bmp")
    with progress("read, make avatar, write", 3) as advance:
        clip = read_clip(source, fps)
        advance()
        image = clip_to_avatar(clip, alpha)
        advance()
        write_image(target, image)
        advance()
    report_files([target], f"from {clip.n_frames} frames, alpha {alpha:g}")


def check_target(target: Path) -> None:
    """Refuse an output that would overwrite a folder's content, before any work is done."""
    if target.is_dir() and any(target.iterdir()):
        raise InputError(
            f"{target}: the folder is not empty; name a new one, nothing is overwritten"
        )


def report_files(files: Sequence[Path], what: str) -> None:
    """Say what was written and where."""
    place = files[0] if len(files) == 1 else f"{files[0].parent}{'/'} ({len(files)} files)"
    out.print(f"wrote {place}: {what}", markup=False, highlight=False)


# ------------------------------------------------------------------ scores and training
@app.command()
def score(
    predictions: Annotated[
        Path, typer.Argument(metavar="LOG|CSV", help="MEGC log or CSV of predictions.")
    ],
) -> None:
    """Print UF1, UAR and the other scores of any method's predictions (paper Sec. 4.2).

    Example: [bold]memaa score predictions.csv[/bold]
    """
    from memaa_lib.metrics import score_file

    print_scores(score_file(predictions))


@app.command()
def train(
    dataset: Annotated[str, DATASET],
    protocol: Annotated[str, typer.Option(help="loso, kfold, composite or cross.")] = "loso",
    profile: Annotated[str, typer.Option(help="laptop or paper.")] = "laptop",
    target: Annotated[
        Path | None, typer.Option("--out", help="Folder for fold files; default: the cache.")
    ] = None,
    n_jobs: Annotated[int, typer.Option("--jobs", help="Processes.")] = 2,
    k: Annotated[int, typer.Option(help="Number of folds of kfold.")] = 5,
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
) -> None:
    """Train and test ResNet-34 on avatars, fold by fold (paper Sec. 3.5 and 4).

    Finished folds are kept: a stopped run goes on at the next fold.

    Example: [bold]memaa train smic --protocol loso --profile laptop[/bold]
    """
    from memaa_lib.protocol import train as train_dataset

    results = train_dataset(
        dataset,
        protocol=protocol,
        profile=profile,
        out=target,
        n_jobs=n_jobs,
        k=k,
        seed=seed,
        weights=weights,
        device=device,
        cluster=cluster,
        time_limit=time_limit,
        leak=leak,
    )
    title = f"{dataset}, {protocol}, {profile} profile, starting from {results.start}"
    print_scores(results.scores(), f"{title}, LEAKING ({leak})" if leak else title)
    out.print(
        f"digest {results.digest}, fold files: {results.folder}", markup=False, highlight=False
    )
    if not results.complete:
        err.print("the time limit came first; give the same command again to go on")
        raise typer.Exit(3)


# ------------------------------------------------------------------ notebooks and book
@app.command()
def run(
    notebook: Annotated[
        str, typer.Argument(metavar="NOTEBOOK", help="E.g. 05 or 05_emotion_avatar.")
    ],
    dataset: Annotated[str | None, typer.Option(help="smic, casme2, samm or composite.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE; repeat for more.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--out", help="Where to; default: beside you.")
    ] = None,
) -> None:
    """Run one notebook with papermill.

    Example: [bold]memaa run 05 --dataset casme2 -p alpha=15.0[/bold]
    """
    from memaa_lib.publish import TITLES, RunFailed, execute

    source = find_notebook(notebook)
    parameters = dict(parse_parameter(text) for text in parameter or [])
    if dataset is not None:
        if dataset not in TITLES:
            raise InputError(f"{dataset}: unknown data set; there are {', '.join(TITLES)}")
        parameters["dataset"] = dataset
    place = target or Path(f"{source.stem}{'-' + dataset if dataset else ''}.ipynb")
    with progress(f"running {source.stem}", 1) as advance:
        try:
            execute(source, place.resolve(), parameters)
        except RunFailed as error:
            raise InputError(str(error)) from None
        advance()
    out.print(f"wrote {place}", markup=False, highlight=False)


def find_notebook(name: str) -> Path:
    """Return the notebook that a number, a stem or a path names."""
    from memaa_lib.publish import ROOT

    stem = Path(name).stem
    found = sorted((ROOT / "notebooks").glob(f"{stem}*.md"))
    exact = [path for path in found if path.stem == stem]
    if len(exact or found) == 1:
        return (exact or found)[0]
    stems = ", ".join(sorted(path.stem for path in (ROOT / "notebooks").glob("*.md")))
    raise InputError(f"{name}: no such notebook; there are {stems}")


def parse_parameter(text: str) -> tuple[str, Any]:
    """Split ``NAME=VALUE``; the value is read as a YAML scalar, so it stays data."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InputError(f"-p {text}: expected NAME=VALUE, e.g. -p alpha=15.0")
    try:
        parsed = yaml.safe_load(value) if value else ""
    except yaml.YAMLError:
        parsed = value
    return name, parsed


@app.command()
def book(
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only these data sets; repeat for more.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Training profile: laptop or paper.")] = "laptop",
    n_jobs: Annotated[int, typer.Option("--jobs", help="Notebooks at a time.")] = 2,
) -> None:
    """Run every notebook that is stale and build the book into _build/html.

    A stopped build goes on where it was; a notebook that fails is kept and the others go on.

    Example: [bold]memaa book --dataset casme2[/bold]
    """
    from memaa_lib.publish import ROOT, build_book

    with BuildDisplay() as display:
        report = build_book(dataset or [], profile=profile, n_jobs=n_jobs, notify=display.notify)
    err.print(
        f"{len(report.ran)} tasks ran, {len(report.fresh)} were up to date, "
        f"{len(report.failed)} failed, {report.seconds:.0f} s",
        highlight=False,
    )
    for name, reason in report.failed.items():
        err.print(f"failed: {name}: {reason}", style="red", markup=False, highlight=False)
    if not report.ok:
        err.print(f"logs: {ROOT / 'build' / 'logs'}", markup=False, highlight=False)
        raise typer.Exit(3)
    out.print(f"{ROOT / '_build' / 'html' / 'index.html'}", markup=False, highlight=False)


class BuildDisplay:
    """Show what a build does: a live line in a terminal, a line a task elsewhere."""

    def __init__(self) -> None:
        self.running: dict[str, None] = {}
        self.done = 0
        self.stop = threading.Event()
        # bound to the stream as it is now: doit catches sys.stderr while its tasks run
        self.console = Console(file=sys.stderr, soft_wrap=True)
        self.status = self.console.status("starting") if self.console.is_terminal else None

    def __enter__(self) -> BuildDisplay:
        """Start showing."""
        if self.status:
            self.status.start()
            self.thread = threading.Thread(target=self._refresh, daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop showing."""
        self.stop.set()
        if self.status:
            self.status.stop()

    def notify(self, name: str, state: str) -> None:
        """Take note of a task's change of state."""
        if state == "start":
            self.running[name] = None
        else:
            self.running.pop(name, None)
            self.done += 1
        if state in ("done", "failed") or (state == "start" and not self.status):
            self.console.print(f"{state:>6}  {name}", highlight=False)

    def _refresh(self) -> None:
        from memaa_lib.publish import running_states

        while not self.stop.wait(0.5):
            text = ", ".join([*list(self.running), *running_states()])
            if self.status:
                self.status.update(f"{self.done} done; running {text}")


# ------------------------------------------------------------------ upkeep
@app.command()
def doctor() -> None:
    """Print versions, machine, caches and data roots, and check that they will do.

    Example: [bold]memaa doctor[/bold]
    """
    from memaa_lib.doctor import examine

    rows, problems = examine()
    table = Table(show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    out.print(table)
    for problem in problems:
        err.print(f"problem: {problem}", style="red", markup=False, highlight=False)
    if problems:
        raise typer.Exit(1)


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the cache: twins, avatars, trained folds. All of it can be made again.

    Example: [bold]memaa clean --yes[/bold]
    """
    import shutil

    folder = cache_root()
    if not folder.exists():
        out.print(f"{folder}: nothing there", markup=False, highlight=False)
        return
    if yes or typer.confirm(f"Remove {folder}?"):
        shutil.rmtree(folder)
        out.print(f"removed {folder}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
