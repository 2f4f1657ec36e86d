"""Reading bytes as if they were a raw file."""

import bz2
import gzip
import io
import json
import lzma
import tarfile

import zstandard

from cmtp.sources.document import Broken
from cmtp.sources.mapping import SourceMapping
from cmtp.sources.read import Part, PartReader

COMPRESS = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def read(folder, name, data, mappings=(), source="s", language="any"):
    """Documents and broken records of a file with these bytes, and the reader."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    part = Part(str(path), name, source, len(data), 0, 0, len(data))
    reader = PartReader(part, [SourceMapping(**mapping) for mapping in mappings], language)
    return list(reader), reader


def documents(items):
    return [item for item in items if not isinstance(item, Broken)]


def broken(items):
    return [(item.origin, item.reason) for item in items if isinstance(item, Broken)]


def jsonl(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def tar(members, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
