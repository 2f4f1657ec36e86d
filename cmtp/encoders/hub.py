"""Models in a folder or on the Hugging Face hub: whether a name can be a model's, and which weights it stands for.

An identity is computed without loading the model. A stage's folder is named by it. So after a model was trained
further, in the same folder or under the same name, the vectors of the old weights are not used.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from cmtp.engine.code import package_versions
from cmtp.errors import UsageError

PACKAGES = ("sentence_transformers", "tokenizers", "torch", "transformers")
"""The packages that compute with a model of sentence-transformers."""


def is_model_name(name: str) -> bool:
    """Whether a name can be a model's: an existing folder, or a hub name of the form ``owner/model``."""
    if Path(name).is_dir():
        return True
    owner, slash, model = name.partition("/")
    return bool(slash and model) and "/" not in model and owner not in ("", ".", "..", "~")


def model_identity(name: str) -> str:
    """Identifies the weights of a model: ``files DIGEST`` for a folder, ``revision COMMIT`` for a model of the hub.

    Raises:
        UsageError: the model does not exist, or the hub does not answer and its cache has no copy.
    """
    if Path(name).is_dir():
        return folder_identity(Path(name))
    try:
        return f"revision {hub_revision(name)}"
    except OSError as error:
        raise UsageError(
            f"the model cannot be fetched from the hub: {str(error).splitlines()[0]}\n"
            "Check its name and the network, or give the folder of a copy."
        ) from error


def computed_identity(name: str) -> str:
    """Identifies the numbers that a model computes: `model_identity`, and the versions of `PACKAGES`.

    Raises:
        UsageError: as `model_identity`.
    """
    return f"{model_identity(name)}, {package_versions(PACKAGES)}"


def folder_identity(folder: Path) -> str:
    """``files DIGEST``: a SHA-256 over the names and contents of all files below a folder, compiled Python left out."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return f"files {digest.hexdigest()}"


@functools.cache
def hub_revision(name: str) -> str:
    """The newest commit of a model of the hub. Without a network, the commit of the copy in the hub's cache.

    Raises:
        OSError: the model does not exist, or there is neither a network nor a copy.
    """
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name, "config.json")).parent.name
