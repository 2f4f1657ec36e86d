"""Commands: parse, call one function, print. No logic."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from cmtp.errors import DISK_FULL, CmtpError, UsageError
from cmtp.interrupt import INTERRUPTED, leave, leave_on_interrupt
from cmtp.threads import limit_threads

limit_threads()  # before any numerical library; each command imports what it needs

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Build training data for Chinese text-embedding models from raw text.",
)

Shards = Annotated[str, typer.Argument(help="Output folder of a build.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"cmtp {version('cmtp')}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks. Any command takes it.")] = False,
) -> None:
    """Build training data for Chinese text-embedding models from raw text."""


@app.command()
def build(
    source: Annotated[list[str], typer.Option(help="Folder or file of raw text; several may be given.")],
    out: Annotated[str, typer.Option(help="Output folder.")],
    more: Annotated[list[str] | None, typer.Argument(help="Further sources.", metavar="[RAW]...")] = None,
    recipe: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="STAGE.SETTING=VALUE; may be repeated.")] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="Folder of an earlier build: its pairs are not issued again; repeatable.")
    ] = None,
    decontaminate: Annotated[
        list[str] | None, typer.Option(help="Evaluation file or folder: pairs with its texts are rejected; repeatable.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    max_memory: Annotated[str | None, typer.Option(help="Bound on memory, for example 8GiB.")] = None,
    engine: Annotated[str, typer.Option(help="What runs the tasks: local, or an engine of another package.")] = "local",
    until: Annotated[
        str, typer.Option(help="Last stage: extract, dedup, filter, similarity, eval, mine or shard.")
    ] = "shard",
    fresh: Annotated[bool, typer.Option(help="Start over: use nothing that an earlier run finished.")] = False,
    strict: Annotated[bool, typer.Option(help="Stop at the first broken record.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Show what would be read and done, and do nothing.")] = False,
) -> None:
    """Run the whole pipeline: extract, dedup, filter, similarity, mine, shard."""
    from cmtp import summary
    from cmtp.build import build as run_build
    from cmtp.engine.progress import BuildProgress
    from cmtp.planning import Options, make_plan
    from cmtp.recipe import load_recipe

    given = {"against": against, "decontaminate": decontaminate}
    others = [f"dedup.{name}={json.dumps(paths, ensure_ascii=False)}" for name, paths in given.items() if paths]
    settings = load_recipe(recipe, [*(set_ or []), *others])
    roots = [*source, *(more or [])]
    options = Options(until=until, fresh=fresh, strict=strict, max_memory=_bytes(max_memory), engine=engine)
    if workers is not None:
        options.workers = workers
    if dry_run:
        print(summary.describe_plan(make_plan(roots, out, settings, options), out))
        return
    with BuildProgress() as progress:
        outcome = run_build(roots, out, settings, options, progress)
    print(summary.outcome(outcome, out))
    if not outcome.manifest["stages"][0]["kept"]:
        raise CmtpError(f"no pairs came out of the sources; the reasons: cmtp inspect {out} --stage extract")


@app.command()
def verify(shards: Shards) -> None:
    """Recompute checksums, schemas, ids and the row ledger of a build."""
    from cmtp.engine.store import Store
    from cmtp.shards.verify import verify as run_verify

    problems = run_verify(Store(shards))
    if problems:
        raise CmtpError("\n".join(problems))
    print(f"{shards}: all invariants hold")


@app.command()
def sources() -> None:
    """List the formats that are read and the layouts that are recognised without a recipe."""
    from cmtp.sources.listing import listing

    print(listing())


@app.command()
def inspect(
    shards: Shards,
    relation: Annotated[str | None, typer.Option(help="Only this relation.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    stage: Annotated[str | None, typer.Option(help="Rejects of this stage instead of pairs.")] = None,
    reason: Annotated[str | None, typer.Option(help="Rejects with this reason instead of pairs.")] = None,
    min_similarity: Annotated[float | None, typer.Option(help="Lowest similarity.")] = None,
    max_similarity: Annotated[float | None, typer.Option(help="Highest similarity.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Rows to show.")] = 10,
    seed: Annotated[int, typer.Option(help="Another seed shows other rows.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show a few rows to read."""
    from cmtp import summary
    from cmtp.shards.read import Wanted, sample_rows

    wanted = Wanted(relation, source, stage, reason, min_similarity, max_similarity)
    rows = sample_rows(shards, wanted, n, seed)
    print(summary.rows(rows, as_json=json))


@app.command()
def why(shards: Shards, pair_id: Annotated[str, typer.Argument(help="Id of a pair, kept or rejected.")]) -> None:
    """Show one pair's path through a build, stage by stage."""
    from cmtp import summary
    from cmtp.shards.read import trace_pair

    print(summary.trace(trace_pair(shards, pair_id)))


@app.command()
def calibrate(
    raw_or_shards: Annotated[str, typer.Argument(help="Raw text, or the output folder of a build.")],
    recipe: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="STAGE.SETTING=VALUE; may be repeated.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
) -> None:
    """Show the similarities of true and shuffled pairs, and where the cut would be."""
    from cmtp import summary
    from cmtp.calibrate import measure
    from cmtp.engine.progress import BuildProgress
    from cmtp.planning import Options

    options = Options() if workers is None else Options(workers=workers)
    with BuildProgress() as progress:
        found = measure(raw_or_shards, recipe, set_, options, progress)
    print(summary.calibration(found))


@app.command()
def mine(
    shards: Shards,
    recipe: Annotated[Path | None, typer.Option(help="YAML file of settings; only its group mine is used.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="mine.SETTING=VALUE; may be repeated.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
) -> None:
    """Mine the hard negatives of an existing build again, with another encoder or other settings."""
    from cmtp.engine.progress import BuildProgress
    from cmtp.planning import Options
    from cmtp.remine import remine

    options = Options() if workers is None else Options(workers=workers)
    with BuildProgress() as progress:
        manifest = remine(shards, recipe, set_, options, progress)
    print(f"{manifest['tables']['finetune']['rows']:,} finetune rows written to {shards}/finetune")


@app.command()
def export(
    shards: Shards,
    dest: Annotated[str, typer.Argument(help="Folder to write to.")],
    format_: Annotated[str, typer.Option("--format", help="flagembedding, sentence-transformers or jsonl.")],
    table: Annotated[str, typer.Option(help="pairs or finetune.")] = "finetune",
) -> None:
    """Write a table in another trainer's format."""
    from cmtp.shards.export import export_table

    done = export_table(shards, dest, format_, table)
    print("\n".join([f"{done.rows:,} rows of {table} written as {done.lines:,} lines to {dest}", *done.notes]))


filters = typer.Typer(no_args_is_help=True, help="The filter stage's learned score.")
app.add_typer(filters, name="filter")


@filters.callback()
def _filters() -> None:
    """Makes `train` a sub-command although it is the only one."""


@filters.command("train")
def filter_train(
    labelled: Annotated[
        Path, typer.Argument(help="CSV, TSV, JSON, JSONL, Parquet: a text and a label 0 or 1 per row.")
    ],
    out: Annotated[Path, typer.Option(help="Model file to write; filter.model names it in a recipe.")],
    dev: Annotated[Path | None, typer.Option(help="Labelled file to measure on; nothing is learned from it.")] = None,
    other: Annotated[Path | None, typer.Option(help="Texts of another kind: shows how many would be rejected.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of the texts; default: found by its name.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the labels; default: found by its name.")] = None,
) -> None:
    """Learn from labelled texts which texts to reject."""
    from cmtp.filters.train import train_score

    trained = train_score(labelled, dev, other, text, label)
    trained.model.save(out)
    print("\n".join([*trained.lines(), f"written: {out}"]))


@app.command()
def train(
    shards: Shards,
    out: Annotated[str, typer.Option(help="Folder of the model.")],
    stage: Annotated[str, typer.Option(help="pretrain, weak, finetune or all; several with commas.")] = "all",
    preset: Annotated[str, typer.Option(help="nano (CPU, minutes), small (24 M) or base (102 M).")] = "nano",
    init: Annotated[str | None, typer.Option(help="BERT checkpoint to start from; default: from scratch.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings that change the preset's.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="STAGE.SETTING=VALUE; may be repeated.")] = None,
    resume: Annotated[bool, typer.Option("--resume/--fresh", help="Continue an earlier run, or start over.")] = True,
    threads: Annotated[int, typer.Option(min=1, help="Threads on a CPU; with more than 1, the last digits vary.")] = 1,
) -> None:
    """Train an embedding model on a build, in the three stages of BGE."""
    _needs_train_extra()
    from cmtp.train.settings import load_train_settings, stage_names

    settings, stages = load_train_settings(preset, config, set_), stage_names(stage)
    from cmtp.train.run import train_model

    train_model(shards, out, settings, stages, init, fresh=not resume, threads=threads)


@app.command(name="eval")
def evaluate(
    model: Annotated[str, typer.Argument(help="Folder of a model, or a name on the hub.")],
    file: Annotated[
        list[Path] | None,
        typer.Option(
            help="Sentence pairs or texts with labels, queries with pos and neg, or a BEIR folder; repeatable."
        ),
    ] = None,
    shards: Annotated[str | None, typer.Option(help="Build: the model searches its held-out documents.")] = None,
    share: Annotated[
        float | None,
        typer.Option(help="Share of the documents held out; default: the model's own, or the build's if it has one."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the choice of documents; default: as for --share.")] = None,
    benchmark: Annotated[str | None, typer.Option(help='Tasks of the hub, for example "MTEB(cmn, v1)".')] = None,
    encoder: Annotated[list[str] | None, typer.Option(help="Encoder to compare with; repeatable.")] = None,
) -> None:
    """Score a model and baselines on local files, on held-out documents or, with a network, on C-MTEB."""
    _needs_train_extra()
    from cmtp.evaluate.command import evaluate_model

    files, encoders = file or [], encoder or []
    print(
        evaluate_model(
            model, files=files, shards=shards, share=share, seed=seed, benchmark=benchmark, encoders=encoders
        )
    )


@app.command()
def probe(
    shards: Shards,
    against: Annotated[list[str] | None, typer.Option(help="Build to compare with; may be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs per build.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Steps per run; the same for every build.")] = 300,
    share: Annotated[float, typer.Option(help="Held-out share of the documents.")] = 0.1,
) -> None:
    """Measure in about a minute how much a small encoder learns from a build."""
    _needs_train_extra()
    from cmtp.evaluate.probe import ProbeSettings, compare_builds

    print(compare_builds([shards, *(against or [])], ProbeSettings(seeds=seeds, steps=steps, share=share)))


def _needs_train_extra() -> None:
    from importlib.util import find_spec

    needed = ("torch", "transformers", "sentence_transformers", "bm25s")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise UsageError(f"{', '.join(missing)} not installed: pip install 'cmtp[train]' -c constraints.txt")


def _bytes(text: str | None) -> int | None:
    """8GiB, 500MB, 1000000 → bytes."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, re.IGNORECASE)
    if not match:
        raise UsageError(f"--max-memory {text}: write it as 8GiB or 500MB")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(unit.upper() or " "))


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed at work, 2 unusable arguments, 130 stopped by Ctrl-C."""
    leave_on_interrupt()
    code = _run()
    sys.stdout.flush()
    sys.stderr.flush()
    # The work is done and all files are closed. Leaving at once skips the interpreter's shutdown, in which a thread
    # pool of a native library was seen to abort the process (once in some 600 runs) and turn a 0 into a 134.
    os._exit(code)


def _run() -> int:
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except SystemExit as stop:  # how typer ends
        if stop.code == INTERRUPTED:  # a library took the signal itself and raised KeyboardInterrupt
            leave()
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except CmtpError as error:
        if debug:
            raise
        print(f"cmtp: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # a file could not be read or written
        if debug:
            raise
        remedy = DISK_FULL if error.errno == errno.ENOSPC else "Look at this file or folder and start again."
        where = f"{error.filename}: " if error.filename else ""
        print(f"cmtp: {where}{error.strerror or error}. {remedy} (--debug shows where)", file=sys.stderr)
        return 1
    except Exception as error:  # a defect of this package: one line, with --debug the traceback
        if debug:
            raise
        print(f"cmtp: unexpected {type(error).__name__}: {error}; --debug shows the traceback", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
