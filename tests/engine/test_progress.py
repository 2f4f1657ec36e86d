"""The progress that a build shows."""

import io

from rich.console import Console

from cmtp.engine.executor import Receipt
from cmtp.engine.ledger import Ledger
from cmtp.engine.progress import BuildProgress


def receipt(rows):
    return Receipt("t-0", "", Ledger(), rows, 175_000_000, {}, [], 0.1, 0)


def run(progress):
    with progress:
        progress.step("similarity", 2)
        progress.task("similarity", receipt(300_000), resumed=True)
        progress.task("similarity", receipt(334_801), resumed=False)
        progress.step("similarity", 1)
        progress.task("similarity", receipt(9_000_000), resumed=False)
        progress.stage_done("similarity", "333,786 of 334,801 rows kept")
        progress.note("sources.0.files = '[x]' fits no file")


def test_bars_show_all_figures_in_eighty_columns():
    screen = io.StringIO()
    progress = BuildProgress(Console(file=screen, force_terminal=True, width=80, color_system=None))
    run(progress)
    last = [line for line in screen.getvalue().splitlines() if "similarity" in line][-1]
    assert "3/3 333,786 of 334,801 rows kept, " in last
    assert " GiB 00:0" in last
    assert "…" not in last
    assert "note: sources.0.files = '[x]' fits no file" in screen.getvalue()


def test_without_a_terminal_there_is_a_line_when_a_stage_starts_and_ends(capsys):
    run(BuildProgress(Console(file=io.StringIO(), force_terminal=False)))
    started, ended = capsys.readouterr().err.splitlines()
    assert "similarity: started" in started
    assert "similarity: 333,786 of 334,801 rows kept in" in ended
    assert "1 of 3 tasks done before" in ended


def test_rows_are_those_that_the_first_step_read_in_this_run():
    progress = BuildProgress(Console(file=io.StringIO(), force_terminal=False))
    run(progress)
    clock = progress.clocks["similarity"]
    assert (clock.rows, clock.total, clock.done, clock.resumed) == (334_801, 3, 3, 1)
    assert progress.seconds >= clock.seconds
