"""The bundled trainer: shards in, a SentenceTransformer out, by the three stages of C-Pack (arXiv 2309.07597).

- `settings`: settings and presets. `run`: a run over the stages. `stages`: one stage. `card`, `report`: its results.
- `shards`, `batches`: rows of a build, and their order in batches. `vocabulary`: a vocabulary of the build's texts.
- `retromae`: the model of stage 1. `contrastive`: the loss of stages 2 and 3.
- `trainers`: trainers that repeat a run bit by bit. `guards`: what a run prints, and errors that end it.

A model is scored in `cmtp.evaluate`, by the measures in `cmtp.scoring`. Nothing here changes a shard. Needs the extra
[train].
"""

import os

# libgomp's threads wait by spinning. On two busy cores that made a step six times as long. Must be set before torch.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
