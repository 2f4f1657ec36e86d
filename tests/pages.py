"""README and docs/: their fenced blocks, the commands in them, and the output that stands below a command.

A page shows a command alone in a ``bash`` block, or with what it prints in a ``console`` block::

    $ cmtp verify my-shards
    my-shards: all invariants hold

A line ``…`` stands for any lines of the output. `tests/test_docs.py` runs the commands and compares what they print
with the pages, apart from the numbers, since times differ from run to run. ``make docs`` runs them and writes what they
print now into the pages.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tests.builds import SAMPLE, cli
from tests.encoders.test_sentence import write_model
from tests.mining.test_cross_encoder import write_reranker
from tests.train.test_run import TINY

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
ANYTHING = "…"
"""A line of a page's output that stands for any lines."""

STAND_INS = {
    "my-shards/": "my-shards",
    "my-model/": "my-model",
    "e5-small": "static-zh",  # which takes a second where the other takes a minute
    "similarity.encoder=e5-small": "similarity.encoder=tiny/model",
    "mine.encoder=my-model": "mine.encoder=static-zh",
}
"""What the tests put in place of a word of a page."""

SMALLER = {
    "build": ["--workers", "1"],  # as commands run in the test's own process
    "mine": ["--workers", "1"],
    "train": [word for setting in [*TINY, "eval.share=0.2"] for word in ("--set", setting)],
    "probe": ["--steps", "2", "--seeds", "1"],
}
"""Further arguments by command."""

FAIL = {
    "cmtp build --source my-raw-files --out new-shards --set similarity.treshold=0.3": (2, "did you mean threshold?"),
    'cmtp eval my-model --benchmark "MTEB(cmn, v1)"': (1, "cannot be fetched from the hub"),
    "cmtp train my-shards --out other-model --stage weak,finetune --init hfl/chinese-roberta-wwm-ext": (2, "hub"),
}
"""Commands that fail, some because they need a network: the exit code, and what the message names."""


@dataclass
class Shown:
    """A command of a page, or a block of Python.

    Attributes:
        command: as the page has it, without the prompt and the folder of the environment.
        first: number of the line after it, from 0.
        output: the lines of output below it; None where it is shown alone.
        language: of its block: bash, console or python.
    """

    command: str
    first: int
    output: list[str] | None
    language: str


def text_of(page: str) -> str:
    """A page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language ("" is none)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [body for name, body in found if name == language]


def commands(page: str) -> list[Shown]:
    """The cmtp commands and the Python of a page, in order."""
    shown: list[Shown] = []
    language: str | None = None
    for number, line in enumerate(text_of(page).splitlines(), 1):
        if line.startswith("```"):
            language = line[3:] if language is None else None
            if language == "python":
                shown.append(Shown("", number, None, language))
        elif language == "python":
            shown[-1].command += f"{line}\n"
        elif language in ("bash", "console"):
            command = re.sub(r"\s+#.*", "", line.removeprefix("$ ").removeprefix(".venv/bin/"))
            if command.startswith("cmtp ") and line.startswith("$ ") == (language == "console"):
                shown.append(Shown(command, number, [] if language == "console" else None, language))
            elif language == "console" and shown:
                assert shown[-1].output is not None, f"{page}: {line}"
                shown[-1].output.append(line)
    return shown


def copy_desk(template: Path, folder: Path, page: str = "") -> Path:
    """A copy of a reader's folder for a page, so that no page finds what the commands of another have changed."""
    shutil.copytree(template, folder)
    if page == "docs/build.md":
        shutil.rmtree(folder / "my-shards")  # which this page builds
    return folder


def make_desk(folder: Path) -> None:
    """Make a reader's folder: raw files, the README's recipe, labelled and evaluation files, models, two builds."""
    folder.mkdir()
    shutil.copytree(SAMPLE / "raw", folder / "my-raw-files")
    threads = folder / "my-raw-files/forum/threads.jsonl"
    renamed = threads.read_bytes().replace(b'"question":', b'"subject":').replace(b'"answer":', b'"best_reply":')
    threads.write_bytes(renamed)
    (folder / "recipe.yaml").write_text(blocks("README.md", "yaml")[0], encoding="utf-8")
    labelled = [f"{'加微信送彩金' if i % 2 else '今天的菜很新鲜'}{i}号,{i % 2}\n" for i in range(400)]
    for name in ("labelled.csv", "held-out.csv"):
        (folder / name).write_text("text,label\n" + "".join(labelled), encoding="utf-8")
    pl.DataFrame({"text": [f"第{i}天的天气很好" for i in range(50)]}).write_parquet(folder / "clean.parquet")
    scored = [f"a\tb\t{i}\t今天下雨了{i}\t今天有雨{i % 7}\t{i % 6}\n" for i in range(20)]
    (folder / "sts-b-dev.txt").write_text("".join(scored), encoding="utf-8")
    searched = [{"query": f"问题{i}", "pos": [f"答案{i}"], "neg": [f"别的{i}", f"其他{i}"]} for i in range(20)]
    pl.DataFrame(searched).write_ndjson(folder / "finetune.jsonl")
    write_reranker(folder / "my-reranker")
    write_model(folder / "tiny")
    build = ["build", "--source", "my-raw-files", "--out", "my-shards", "--recipe", "recipe.yaml"]
    cli(*build, "--workers", 1, cwd=folder)
    shutil.copytree(folder / "my-shards", folder / "other-shards")


def run(command: str, desk: Path) -> tuple[str, str]:
    """Run a command of a page; returns what it printed to stdout and stderr."""
    words = [STAND_INS.get(word, word) for word in shlex.split(command)[1:]]
    if "PAIR_ID" in words:
        ids = pl.scan_parquet(f"{desk}/my-shards/pairs/*.parquet").select("pair_id").collect()["pair_id"]
        words[words.index("PAIR_ID")] = ids[0]
    code, named = FAIL.get(command, (0, ""))
    out, err = cli(*words, *SMALLER.get(words[0], []), expect=code, cwd=desk)
    assert named in err, err
    return out, err


def without_numbers(line: str) -> str:
    """A line without its numbers and the bars of histograms, and with one space for several."""
    return re.sub(r"[\s▁-█]+", " ", re.sub(r"\d[\d,.:]*", "0", line)).strip()


def as_printed(shown: list[str], printed: list[str]) -> list[str] | None:
    """What a page shows of a command's output, with the numbers of today; None: the output is another.

    Args:
        shown: lines of the page.
        printed: lines that the command prints.
    """
    plain = "".join(f"{without_numbers(line)}\n" for line in printed)
    parts = [r"(?:.*\n)*?" if line == ANYTHING else f"({re.escape(without_numbers(line))}\n)" for line in shown]
    found = re.fullmatch("".join(parts), plain)
    if found is None:
        return None
    lines = iter([printed[plain.count("\n", 0, found.start(group + 1))] for group in range(len(found.groups()))])
    return [line if line == ANYTHING else next(lines) for line in shown]


def check(shown: Shown, desk: Path) -> list[str]:
    """Run a command, or a block of Python; returns what the page should show of its output.

    Raises:
        AssertionError: it prints something else than the page says, or ends otherwise.
    """
    if shown.language == "python":
        with chdir(desk):
            exec(shown.command, {})
        return []
    out, err = run(shown.command, desk)
    if shown.output is None:
        return []
    for printed in (out, err + out):
        if (today := as_printed(shown.output, printed.splitlines())) is not None:
            return today
    raise AssertionError(f"{shown.command}\nthe page says:\n" + "\n".join(shown.output) + f"\nit prints:\n{err}{out}")


def refresh(page: str, desk: Path) -> None:
    """Write the numbers of today into a page, and the output below commands that have none.

    Output that is another than the page's is printed, for a person to decide which lines the page should show.
    """
    lines, moved = text_of(page).splitlines(), 0
    for shown in commands(page):
        try:
            today = run(shown.command, desk)[0].splitlines() if shown.output == [] else check(shown, desk)
        except AssertionError as error:
            print(f"{page}: {error}", file=sys.stderr)
            today = shown.output or []
        if shown.output is not None:
            start = shown.first + moved
            lines[start : start + len(shown.output)] = today
            moved += len(today) - len(shown.output)
    (ROOT / page).write_text("\n".join(lines) + "\n", encoding="utf-8")
