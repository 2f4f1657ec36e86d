"""Pairs to dedup, a run of the stage without an executor, and reference implementations in plain Python."""

import json
import random

import numpy as np
import pyarrow as pa

from cmtp import schema
from cmtp.dedup.policy import document_keys
from cmtp.dedup.settings import DedupSettings
from cmtp.dedup.stage import DedupStage, dedup_work
from cmtp.engine.figures import merge, plain_values
from cmtp.engine.ledger import Ledger
from cmtp.engine.store import Store
from cmtp.engine.task import Job
from cmtp.partition import MASKED, RECORDED, judged_path
from cmtp.text.compare import comparison_form
from cmtp.text.hashes import pair_keys
from cmtp.text.ngrams import SHORT, SHORT_SHINGLE
from tests.rows import pair as row

# a few hundred common characters: enough for passages whose n-grams do not meet by chance
CHARACTERS = "".join(chr(point) for point in range(0x4E00, 0x4E00 + 3000))


def passages(texts, **options):
    """Pairs with one passage each, queries and documents all different."""
    return [row(f"题目{chr(0x4E00 + i)}{i}", text, doc=f"d{i}", **options) for i, text in enumerate(texts)]


def recorded_verdicts(store, folder, parts, goes):
    """Write what a stage recorded of the rows of each partition; returns the folder. `goes`: reasons by pair_id."""
    for i, part in enumerate(parts):
        verdicts = [(n, one["pair_id"], goes[one["pair_id"]]) for n, one in enumerate(part) if one["pair_id"] in goes]
        rows = [{"row": n, "pair_id": name, "reason": reason, "evidence": "{}"} for n, name, reason in verdicts]
        columns = pa.schema([*RECORDED, *(pa.field(side, pa.string()) for side in MASKED)])
        store.write_table(judged_path(folder, i), pa.Table.from_pylist(rows, schema=columns))
    return folder


def run(tmp_path, rows, partitions=1, folder="dedup", empty=(), screened=None, scored=None, **settings):
    """Run the stage; returns (kept rows, rejected rows, ledger, figures by task and of the stage).

    Args:
        tmp_path: where its files lie.
        rows: the pairs, or a list of them for each partition.
        partitions: how many, where `rows` does not say: row i goes to partition i modulo this.
        folder: of the stage.
        empty: positions of further partitions that have no rows.
        screened: reasons of the rows that the screen takes, by pair_id.
        scored: reasons of the rows that the similarity cut takes, by pair_id.
        settings: of the stage.
    """
    store = Store(str(tmp_path))
    inputs = []
    if rows and isinstance(rows[0], list):
        parts, rows = rows, [one for part in rows for one in part]
    else:
        parts = [rows[i::partitions] for i in range(partitions)]
    for where in empty:
        parts.insert(where, [])
    for i, part in enumerate(parts):
        inputs.append(f"{folder}-in/part-{i:05d}.parquet")
        store.write_table(inputs[-1], pa.Table.from_pylist(part, schema=schema.PAIR))
    judged = {
        name: None if goes is None else recorded_verdicts(store, f"{folder}-{name}", parts, goes)
        for name, goes in (("screened", screened), ("scored", scored))
    }
    job = Job(store, folder, dedup_work(DedupSettings(**settings), seed=42, **judged))
    ledger, figures = Ledger(), {}
    for tasks in DedupStage().steps(job, inputs):
        for task in reversed(tasks):  # any order will do
            result = task.run()
            ledger += result.ledger
            figures[task.name] = result.figures
    figures["stage"] = merge(figures.values())
    kept = [store.read_table(job.kept(i)) for i in range(len(inputs))]
    rejects = [store.read_table(job.rejects(i)) for i in range(len(inputs))]
    assert all(table.schema == schema.PAIR for table in kept)
    assert all(table.schema == schema.REJECTS for table in rejects)
    assert not ledger.imbalance()
    assert ledger.rows_in == len(rows)
    kept, rejects = (pa.concat_tables(tables).to_pylist() for tables in (kept, rejects))
    everything = {one["pair_id"] for one in kept} | {one["pair_id"] for one in rejects}
    assert everything == {one["pair_id"] for one in rows}
    assert all(one["kept_id"] in everything for one in rejects if one["kept_id"] is not None)
    assert all(isinstance(json.loads(one["evidence"]), dict) for one in rejects)
    assert not store.exists(f"{folder}/exchange")
    return kept, rejects, ledger, {name: plain_values(one) for name, one in figures.items()}


def ids(rows):
    return sorted(one["pair_id"] for one in rows)


def in_order(rows):
    """The rows, all there are of their documents, in the order that decides between equal ranks."""
    table = pa.Table.from_pylist(rows, schema=schema.PAIR)
    texts = pair_keys(table["query"], table["passage"])
    return [rows[i] for i in np.lexsort((texts, document_keys(table["doc_id"], texts)))]


def shingles(text, width=5):
    """The set of n-grams of a text's comparison form, in plain Python."""
    form = comparison_form(text)
    if len(form) <= SHORT:
        width = min(width, SHORT_SHINGLE)
    width = min(width, len(form))
    return {form[i : i + width] for i in range(len(form) - width + 1)} if form else set()


def jaccard(a, b, width=5):
    a, b = shingles(a, width), shingles(b, width)
    return len(a & b) / len(a | b) if a | b else 0.0


def passage(generator, length):
    return "".join(generator.choices(CHARACTERS, k=length))


def perturbed(generator, text, edits):
    """The text with some characters replaced, inserted or deleted."""
    out = list(text)
    for _ in range(edits):
        place = generator.randrange(len(out))
        kind = generator.choice("rid")
        if kind == "r":
            out[place] = generator.choice(CHARACTERS)
        elif kind == "i":
            out.insert(place, generator.choice(CHARACTERS))
        elif len(out) > 2:
            del out[place]
    return "".join(out)


def family(seed, originals, copies):
    """Random passages of 3 to 400 characters with copies at every distance, shuffled."""
    generator = random.Random(seed)
    texts = []
    for _ in range(originals):
        text = passage(generator, int(3 * 133 ** generator.random()))
        texts.append(text)
        for _ in range(generator.randrange(copies + 1)):
            texts.append(perturbed(generator, text, generator.randint(1, max(1, len(text) // 25))))
    texts = list(dict.fromkeys(texts))
    generator.shuffle(texts)
    return texts
