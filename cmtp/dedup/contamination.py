"""The evaluation texts of a build: read once, left in the store, and loaded by every worker."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from cmtp.dedup.evaluation import read_texts
from cmtp.dedup.index import Grams, Index, count_grams, make_index
from cmtp.dedup.layout import Layout
from cmtp.dedup.records import EvaluationRows, GramRows, PostingRows
from cmtp.dedup.settings import DedupWork
from cmtp.engine.figures import Figures, same, total
from cmtp.engine.store import Store
from cmtp.engine.task import Job, Result
from cmtp.text.compare import fold
from cmtp.text.hashes import hash_folded


def read_evaluation(job: Job[DedupWork]) -> Result:
    """Read the evaluation files, and leave their texts and n-grams for the tasks that compare."""
    layout = Layout.load(job.store, job.folder)
    names, parts = [], []
    figures: Figures = {}
    for file in job.settings.references.evaluation:
        read = read_texts(file.name, file.url)
        names += [file.name] * len(read.texts)
        parts.append(read.texts)
        figures[file.name] = {"texts": total(len(read.texts)), "fields": same(", ".join(read.fields))}
    texts = pa.concat_arrays(parts)
    grams = count_grams(texts, job.settings.decontaminate_ngram)
    forms = hash_folded(fold(texts))
    files = layout.evaluation
    files.texts.write(0, EvaluationRows(pa.array(names), texts, grams.sizes, forms[:, 0], forms[:, 1]))
    files.grams.write(0, GramRows(grams.grams, grams.starts[:-1]))
    files.postings.write(0, PostingRows(grams.postings))
    return Result(rows=len(texts), bytes=texts.nbytes, figures={"evaluation": figures})


def load_index(layout: Layout, width: int) -> Index:
    """The index that `read_evaluation` left. A worker keeps it, because every partition needs it.

    Args:
        layout: of the job.
        width: characters per n-gram.
    """
    return _load(layout.store.root, layout.folder, width)


@lru_cache(maxsize=1)
def _load(root: str, folder: str, width: int) -> Index:
    files = Layout.load(Store(root), folder).evaluation
    texts, grams = files.texts.read_writer(0), files.grams.read_writer(0)
    postings = files.postings.read_writer(0).text
    forms = np.stack([texts.form_a, texts.form_b], axis=1)
    starts = np.append(grams.start, len(postings))
    return make_index(forms, Grams(grams.gram, starts, postings, texts.size), width)
