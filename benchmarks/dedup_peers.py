"""Runs other tools on the same rows: their signatures, and the rows that they drop.

A tool that is not installed gives None. Texts are given in the order in which copies are kept: the first one stays.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PERMUTATIONS = 128


def shingle_strings(text: str) -> list[str]:
    """Character 5-grams; a shorter text is one gram."""
    return [text[i : i + 5] for i in range(max(1, len(text) - 4))]


def rensa_sketch(text: str) -> Any:
    import rensa

    sketch = rensa.RMinHash(num_perm=PERMUTATIONS, seed=42)
    sketch.update(shingle_strings(text))
    sketch.digest()
    return sketch


def datasketch_sketch(text: str) -> Any:
    import datasketch

    sketch = datasketch.MinHash(num_perm=PERMUTATIONS)
    sketch.update_batch([shingle.encode() for shingle in shingle_strings(text)])
    return sketch


SKETCHES: dict[str, Callable[[str], Any]] = {"rensa": rensa_sketch, "datasketch": datasketch_sketch}


def installed(name: str) -> bool:
    """Whether a tool can be imported."""
    return importlib.util.find_spec(name) is not None


def _greedy(texts: Iterable[str], sketch: Callable[[str], Any], lsh: Any) -> set[int]:
    """Rows that collide with an earlier row in the index, without verification, as in the guides of the tools."""
    dropped = set()
    for index, text in enumerate(texts):
        one = sketch(text)
        if lsh.query(one):
            dropped.add(index)
        else:
            lsh.insert(index, one)
    return dropped


def rensa_drops(texts: list[str], threshold: float) -> set[int]:
    import rensa

    return _greedy(texts, rensa_sketch, rensa.RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=16))


def datasketch_drops(texts: list[str], threshold: float) -> set[int]:
    import datasketch

    return _greedy(texts, datasketch_sketch, datasketch.MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS))


def datatrove_drops(texts: list[str], threshold: float, workers: int = 2) -> set[int]:
    """Datatrove's four steps with its default settings: word 5-grams, 14 bands of 8, for a similarity of about .75."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter

    del threshold
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "in").mkdir()
        for part in range(workers):
            rows = range(part, len(texts), workers)
            table = pa.table({"text": [texts[row] for row in rows], "id": [str(row) for row in rows]})
            pq.write_table(table, folder / "in" / f"{part}.parquet")
        config = MinhashConfig()
        reader = ParquetReader(str(folder / "in"))
        language = "cmn"  # datatrove's code for Mandarin
        where = {name: str(folder / name) for name in ("signatures", "buckets", "ids", "out")}
        steps: list[tuple[list[Any], int]] = [
            ([reader, MinhashDedupSignature(where["signatures"], config=config, language=language)], workers),
            ([MinhashDedupBuckets(where["signatures"], where["buckets"], config=config)], config.num_buckets),
            ([MinhashDedupCluster(where["buckets"], where["ids"], config=config)], 1),
            ([reader, MinhashDedupFilter(where["ids"]), ParquetWriter(where["out"])], workers),
        ]
        for number, (pipeline, tasks) in enumerate(steps):
            log = str(folder / "logs" / str(number))
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=workers, logging_dir=log, skip_completed=False).run()
        kept = {
            int(one) for path in (folder / "out").glob("**/*.parquet") for one in pq.read_table(path)["id"].to_pylist()
        }
        return set(range(len(texts))) - kept
    finally:
        shutil.rmtree(folder)


DROPS: dict[str, Callable[[list[str], float], set[int]]] = {
    "rensa": rensa_drops,
    "datasketch": datasketch_drops,
    "datatrove": datatrove_drops,
}


def drops(name: str, texts: list[str], threshold: float) -> tuple[set[int], float]:
    """The rows that a tool drops, and its seconds."""
    start = time.perf_counter()
    return DROPS[name](texts, threshold), time.perf_counter() - start
