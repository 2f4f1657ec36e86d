"""The bundled trainer: shards in, a SentenceTransformer out, by the three stages of C-Pack (arXiv 2309.07597).

Here live the settings and presets (`settings`), the order of rows and batches (`batches`, `shards`), the vocabulary
(`vocabulary`), RetroMAE (`retromae`), the contrastive loss (`contrastive`), the trainers that make a run repeatable and
loud (`trainers`, `guards`), the stages (`stages`) and the run over them (`run`, `card`). How good a model is does not
live here but in `cmtp.evaluate`; the measures, which this package reads, are in `cmtp.scoring`. Nothing here changes a
shard. Needs the extra [train].
"""

import os

# libgomp's threads wait by spinning: on two busy cores that made a step six times as long. Counts only before torch.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
