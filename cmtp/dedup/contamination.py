"""Texts that evaluation files hold too: by their whole comparison form, or by character n-grams in common."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from cmtp.dedup.evaluation import read_texts
from cmtp.dedup.exchange import arrays, read_all, write_ranges
from cmtp.dedup.index import Index, index_texts, make_index
from cmtp.dedup.kernel import hash_folded
from cmtp.dedup.layout import Layout
from cmtp.engine.store import Store
from cmtp.engine.task import Result, Task
from cmtp.text.compare import fold


def reference(task: Task, store: Store) -> Result:
    """Read the evaluation files, and leave their texts and n-grams for the tasks that compare."""
    layout = Layout.load(store, task.folder)
    names, texts, facts = [], [], {}
    for file in task.inputs:
        read = read_texts(file["name"], file["url"])
        names += [file["name"]] * len(read.texts)
        texts.append(read.texts)
        facts[file["name"]] = {"texts": len(read.texts), "fields": ", ".join(read.fields)}
    column = pa.concat_arrays(texts)
    grams, starts, postings, sizes = index_texts(column, task.settings["decontaminate_ngram"])
    forms = hash_folded(fold(column))
    columns = {
        "texts": {"file": pa.array(names), "text": column, "size": sizes, "a": forms[:, 0], "b": forms[:, 1]},
        "grams": {"gram": grams, "start": starts[:-1]},
        "postings": {"text": postings},
    }
    for name, values in columns.items():
        rows = len(next(iter(values.values())))
        write_ranges(store, layout.file(f"evaluation-{name}", 0), values, np.zeros(rows, np.uint16), 1)
    return Result(rows=len(column), bytes=column.nbytes, facts={"evaluation": facts})


def evaluation_texts(store: Store, layout: Layout) -> pa.Table:
    """Columns file and text of every evaluation text, in the order of `Found.text`."""
    return read_all(store, [layout.file("evaluation-texts", 0)]).select(["file", "text"])


def load_index(store: Store, layout: Layout) -> Index:
    """The index that `reference` left; a worker keeps it, because every partition needs it."""
    return _load(store.root, layout.folder)


@lru_cache(maxsize=1)
def _load(root: str, folder: str) -> Index:
    store, layout = Store(root), Layout(folder, [], [], [])
    size, a, b = arrays(read_all(store, [layout.file("evaluation-texts", 0)]), ["size", "a", "b"])
    gram, start = arrays(read_all(store, [layout.file("evaluation-grams", 0)]), ["gram", "start"])
    (postings,) = arrays(read_all(store, [layout.file("evaluation-postings", 0)]), ["text"])
    return make_index(np.stack([a, b], axis=1), gram, np.append(start, len(postings)), postings, size)
