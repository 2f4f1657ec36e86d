"""Files of a build, addressed through fsspec: whole or absent, local or remote.

A file is written under a temporary name beside the target, synced, and renamed. A file under its own name is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

ROW_GROUP_ROWS = 32_768
"""Rows per Parquet row group: about 10–30 MB of text, the unit a reader must hold."""

PUBLISHED_LEVEL = 3
"""zstd's level for the final tables. Files between stages are LZ4, because they are read once or a few times: compared
with zstd's level 1, reading takes half the time, writing three quarters of it, and the files are two fifths larger."""

TEMPORARY = ".tmp-"
"""Prefix of the names of files that are being written. The next run removes those that a killed run has left."""


class Store:
    """A folder of files under a root (a path or any fsspec URL). Paths given to it are relative to the root.

    It is cheap to pickle: it holds the root alone, and each process opens the file system for itself.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        return Store, (self.root,)

    @cached_property
    def _location(self) -> tuple[fsspec.AbstractFileSystem, str]:
        fs, path = fsspec.core.url_to_fs(self.root)
        return fs, path.rstrip("/")

    @property
    def fs(self) -> fsspec.AbstractFileSystem:
        """The file system behind the root."""
        return self._location[0]

    @property
    def is_local(self) -> bool:
        """Whether the files lie on this machine's disk."""
        return isinstance(self.fs, LocalFileSystem)

    def full(self, path: str) -> str:
        """The path as the file system knows it."""
        return f"{self._location[1]}/{path}" if path else self._location[1]

    def exists(self, path: str) -> bool:
        """Whether the file or folder is there."""
        return bool(self.fs.exists(self.full(path)))

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return int(self.fs.size(self.full(path)))

    def list(self, folder: str) -> Sequence[str]:
        """Names of whole files directly in a folder, as sorted store paths; empty when the folder is not there."""
        full = self.full(folder)
        if not self.fs.isdir(full):
            return []
        names = (entry["name"].rsplit("/", 1)[1] for entry in self.fs.ls(full, detail=True) if entry["type"] == "file")
        return sorted(f"{folder}/{name}" for name in names if not name.startswith(TEMPORARY))

    def folders(self, folder: str) -> Sequence[str]:
        """Names of folders directly in a folder, sorted."""
        full = self.full(folder)
        if not self.fs.isdir(full):
            return []
        entries = self.fs.ls(full, detail=True)
        return sorted(entry["name"].rstrip("/").rsplit("/", 1)[1] for entry in entries if entry["type"] == "directory")

    def remove(self, path: str) -> None:
        """Delete a file or a whole folder; nothing happens when it is not there."""
        if self.exists(path):
            self.fs.rm(self.full(path), recursive=True)

    def move(self, path: str, target: str) -> None:
        """Rename a file."""
        full = self.full(target)
        self.fs.makedirs(full.rpartition("/")[0], exist_ok=True)
        if self.is_local:
            os.replace(self.full(path), full)
        else:
            self.fs.mv(self.full(path), full)

    def sweep(self, folder: str) -> None:
        """Delete what a killed run was writing, anywhere under a folder."""
        full = self.full(folder)
        if self.fs.isdir(full):
            for name in self.fs.find(full):
                if name.rsplit("/", 1)[1].startswith(TEMPORARY):
                    self.fs.rm(name)

    @contextmanager
    def write(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file for writing that appears under its name only when the block ends without an error."""
        folder, _, name = self.full(path).rpartition("/")
        self.fs.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/{TEMPORARY}{uuid.uuid4().hex[:12]}-{name}"
        try:
            with self.fs.open(temporary, "wb") as file:
                yield file
                if self.is_local:
                    file.flush()
                    os.fsync(file.fileno())
            if self.is_local:
                os.replace(temporary, self.full(path))
            else:
                self.fs.mv(temporary, self.full(path))
        except BaseException:
            if self.fs.exists(temporary):
                self.fs.rm(temporary)
            raise

    def read(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        return self.fs.open(self.full(path), "rb")  # type: ignore[no-any-return]

    def sha256(self, path: str) -> str:
        """Hex digest of a file."""
        digest = hashlib.sha256()
        with self.read(path) as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def write_json(self, path: str, value: Any) -> None:
        """Write a JSON file: sorted keys, readable Chinese, a newline at the end."""
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        with self.write(path) as file:
            file.write(text.encode())

    def read_json(self, path: str) -> Any:
        """Read a JSON file."""
        with self.read(path) as file:
            return json.load(file)

    def write_table(self, path: str, table: pa.Table, published: bool = False) -> None:
        """Write a Parquet file: the same bytes for the same table. See `parquet_writer`."""
        with self.write(path) as file, parquet_writer(file, table.schema, published) as writer:
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)

    def read_table(self, path: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a Parquet file whole, or some of its columns."""
        with self.read(path) as file:
            table = pq.ParquetFile(file).read(columns=columns and [*columns], use_threads=False)
        missing = set(columns or ()) - set(table.column_names)
        assert not missing, f"{path} has no columns {sorted(missing)}"
        return table

    def rows(self, path: str) -> int:
        """Number of rows of a Parquet file."""
        with self.read(path) as file:
            return int(pq.read_metadata(file).num_rows)

    def schema(self, path: str) -> pa.Schema:
        """The Arrow schema of a Parquet file."""
        with self.read(path) as file:
            return pq.read_schema(file)


def parquet_writer(file: IO[bytes], schema: pa.Schema, published: bool = False) -> pq.ParquetWriter:
    """The writer of all Parquet files of this project, with page statistics.

    Between stages only columns of dictionary type are dictionary-encoded. Among texts and ids the encoder would spend
    time and find no repeats.

    Args:
        file: open for writing.
        schema: of the tables.
        published: whether the file belongs to a final table; see `PUBLISHED_LEVEL`.
    """
    codec = {"compression": "zstd", "compression_level": PUBLISHED_LEVEL} if published else {"compression": "lz4"}
    repeated = True if published else [field.name for field in schema if pa.types.is_dictionary(field.type)]
    return pq.ParquetWriter(
        file, schema, **codec, use_dictionary=repeated, write_statistics=True, write_page_index=True
    )
