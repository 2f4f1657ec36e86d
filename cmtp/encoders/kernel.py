"""The numba kernel of the static encoder: UTF-8 → normalised characters → words → vector, no Python object per token.

For each text:

1. `decode_text` turns its bytes into *codes*: the code point after normalisation (see `distill.character_table`), 0 for
   anything that separates words.
2. `segment` cuts the codes into *tokens*: a number from 0 up is a word's row of the vocabulary, below 0 it is the hash
   of a token that the vocabulary does not have.
3. `count_tokens` counts how often each token occurs.
4. `add_tokens` adds each token's sparse vector, weighted by the token and its count, to the text's row.
5. The row is scaled to length 1.
"""

from typing import NamedTuple

import numpy as np

from cmtp.encoders.trie import next_node
from cmtp.kernels.hashing import split_mix
from cmtp.kernels.jit import kernel
from cmtp.kernels.tables import table_shift
from cmtp.text.utf8 import decode_point

LETTERS, DIGITS, HAN_CHARACTER = 0, 1, 2
"""Kinds of unknown token."""

ARITHMETIC = 1
"""Part of the encoder's `weights_hash`. Raise it whenever a change here changes a vector."""

HASH_SLOTS = 1 << 16
"""Slots in which the unknown tokens of a text are counted. Two tokens in one slot are counted as one."""

BLOCKS = 4
"""Entries of an identity vector. No two tokens share all four; with fewer entries, shared ones would weigh more."""

ENTRY = np.float32(0.5)
"""1/√BLOCKS: an entry's size, so that identities have length 1."""


class Vocabulary(NamedTuple):
    """The tables by which a text is cut into tokens.

    Attributes:
        characters: uint16 [65536], code point → code.
        root, edges, word_at: the words as a trie, see `trie.build_trie`.
        costs: float32 [words], −ln p of each word.
        unknown_cost: −ln p of a Han character that is in no word.
        limit: characters of a text that are read; 0: all.
    """

    characters: np.ndarray
    root: np.ndarray
    edges: np.ndarray
    word_at: np.ndarray
    costs: np.ndarray
    unknown_cost: float
    limit: int


class TokenVectors(NamedTuple):
    """The vectors that tokens add to a text's vector.

    Attributes:
        places: uint16 [words, entries]; word w adds `scales[w] * values[w, k]` at `places[w, k]` for every k.
        values: int8 [words, entries].
        scales: float32 [words].
        unknown: float32 [3], by kind; an unknown token adds its identity times this.
        repeat_power: a token that occurs t times counts t to this power.
    """

    places: np.ndarray
    values: np.ndarray
    scales: np.ndarray
    unknown: np.ndarray
    repeat_power: float


class Scratch(NamedTuple):
    """Working memory for one text of up to n characters; every array holds at least n + 1 values.

    Attributes:
        codes: int32, the text's codes.
        tokens: int64, the text's tokens.
        ends: int32, where each token ends in `codes`.
        best: float32, cost of the cheapest way to cut a run of Han characters from here to its end.
        word: int32, the word that this way begins with; −1: a character in no word.
        length: int32, how many characters that word has.
    """

    codes: np.ndarray
    tokens: np.ndarray
    ends: np.ndarray
    best: np.ndarray
    word: np.ndarray
    length: np.ndarray


@kernel
def encode_texts(
    data: np.ndarray, offsets: np.ndarray, vocabulary: Vocabulary, vectors: TokenVectors, out: np.ndarray
) -> None:
    """Encode n texts; text i is `data[offsets[i]:offsets[i + 1]]`, UTF-8.

    Args:
        data: uint8.
        offsets: int64 [n + 1].
        vocabulary: how a text becomes tokens.
        vectors: what a token adds.
        out: float32 [n, dim], zeros; gets the vectors.
    """
    longest = 0
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    scratch = make_scratch(longest)
    counts = np.zeros(vectors.scales.shape[0] + HASH_SLOTS, np.int32)
    for i in range(offsets.size - 1):
        n = decode_text(data, offsets[i], offsets[i + 1], vocabulary.characters, scratch.codes)
        if vocabulary.limit > 0:
            n = min(n, vocabulary.limit)
        m = segment(n, vocabulary, scratch)
        distinct = count_tokens(scratch.tokens[:m], counts)
        add_tokens(scratch.tokens[:distinct], counts, vectors, out[i])
        square = np.float32(0.0)
        for d in range(out.shape[1]):
            square += out[i, d] * out[i, d]
        if square > 0:
            norm = np.float32(1.0) / np.sqrt(square)
            for d in range(out.shape[1]):
                out[i, d] *= norm


@kernel
def make_scratch(longest: int) -> Scratch:
    """Working memory for texts of up to `longest` characters."""
    room = longest + 1
    return Scratch(
        np.empty(room, np.int32),
        np.empty(room, np.int64),
        np.empty(room, np.int32),
        np.empty(room, np.float32),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
    )


@kernel
def segment(n: int, vocabulary: Vocabulary, scratch: Scratch) -> int:
    """Cut the first n codes of `scratch` into words. Writes `tokens` and `ends`, and returns their number.

    A run of letters and a run of digits are one token each, looked up whole. A run of Han characters is cut along the
    cheapest path through the vocabulary (`cut_han`).
    """
    codes = scratch.codes
    shift = table_shift(vocabulary.edges.size)
    m = 0
    i = 0
    while i < n:
        if codes[i] == 0:
            i += 1
            continue
        end = i
        if is_han(codes[i]):
            while end < n and is_han(codes[end]):
                end += 1
            m = cut_han(i, end, m, vocabulary, scratch)
        else:
            digits = is_digit(codes[i])
            while end < n and codes[end] != 0 and not is_han(codes[end]) and is_digit(codes[end]) == digits:
                end += 1
            scratch.tokens[m] = whole_token(codes[i:end], vocabulary, shift, DIGITS if digits else LETTERS)
            scratch.ends[m] = end
            m += 1
        i = end
    return m


@kernel
def whole_token(codes: np.ndarray, vocabulary: Vocabulary, shift: np.uint64, kind: int) -> np.int64:
    """The token of a run of letters or digits: its word, if the vocabulary has the whole run, else its hash."""
    node = np.int64(vocabulary.root[codes[0]])
    hashed = np.uint64(codes[0])
    for k in range(1, codes.size):
        if node > 0:
            node = next_node(vocabulary.edges, shift, node, codes[k])
        hashed = split_mix(hashed) + np.uint64(codes[k])
    if node > 0 and vocabulary.word_at[node] >= 0:
        return np.int64(vocabulary.word_at[node])
    return unknown_token(hashed, kind)


@kernel
def cut_han(start: int, end: int, m: int, vocabulary: Vocabulary, scratch: Scratch) -> int:
    """Cut `codes[start:end]`, all Han, along the cheapest path. Writes tokens from the m-th on; returns the new m.

    Word w costs −ln p (the unigram model of jieba and SentencePiece), a character in no word `unknown_cost`. First
    `best`, `word` and `length` are computed from right to left, then the path is followed from left to right.
    """
    codes, best, word, length = scratch.codes, scratch.best, scratch.word, scratch.length
    shift = table_shift(vocabulary.edges.size)
    best[end] = np.float32(0.0)
    for first in range(end - 1, start - 1, -1):
        best[first] = best[first + 1] + np.float32(vocabulary.unknown_cost)
        word[first] = -1
        length[first] = 1
        node = np.int64(vocabulary.root[codes[first]]) if codes[first] < 65536 else np.int64(0)
        after = first + 1
        while node > 0:
            w = vocabulary.word_at[node]
            if w >= 0 and vocabulary.costs[w] + best[after] < best[first]:
                best[first] = vocabulary.costs[w] + best[after]
                word[first] = w
                length[first] = after - first
            if after == end:
                break
            node = next_node(vocabulary.edges, shift, node, codes[after])
            after += 1
    i = start
    while i < end:
        w = word[i]
        scratch.tokens[m] = w if w >= 0 else unknown_token(np.uint64(codes[i]), HAN_CHARACTER)
        i += length[i]
        scratch.ends[m] = i
        m += 1
    return m


@kernel
def count_tokens(tokens: np.ndarray, counts: np.ndarray) -> int:
    """Count each token in `counts`, and move the distinct ones, in order of appearance, to the front of `tokens`.

    `counts` int32 [words + HASH_SLOTS] must be all zeros; `add_tokens` sets it back to zeros. Returns the number of
    distinct tokens.
    """
    distinct = 0
    for k in range(tokens.size):
        slot = count_slot(tokens[k], counts.size - HASH_SLOTS)
        counts[slot] += 1
        if counts[slot] == 1:
            tokens[distinct] = tokens[k]
            distinct += 1
    return distinct


@kernel
def add_tokens(tokens: np.ndarray, counts: np.ndarray, vectors: TokenVectors, row: np.ndarray) -> None:
    """Add the vectors of distinct tokens to `row` float32 [dim], and set their counts back to zero."""
    places, values = vectors.places, vectors.values
    for k in range(tokens.size):
        token = tokens[k]
        slot = count_slot(token, counts.size - HASH_SLOTS)
        times = np.float32(counts[slot] ** vectors.repeat_power)
        counts[slot] = 0
        if token >= 0:
            weight = vectors.scales[token] * times
            for j in range(places.shape[1]):
                row[places[token, j]] += weight * np.float32(values[token, j])
        else:
            weight = vectors.unknown[(-1 - token) & 3] * times
            bits = split_mix(np.uint64(-token))
            for block in range(BLOCKS):
                place, sign = identity_entry(bits, block, row.size)
                row[place] += weight * ENTRY * np.float32(sign)


@kernel
def count_slot(token: np.int64, n_words: int) -> np.int64:
    """The slot that counts a token: a word's row, or for an unknown token one of the slots after them, by its hash."""
    return token if token >= 0 else n_words + ((-1 - token) >> 2) % HASH_SLOTS


@kernel
def word_entries(
    neighbours: np.ndarray, closeness: np.ndarray, share: float, dim: int
) -> tuple[np.ndarray, np.ndarray]:
    """The sparse vectors of n words with k neighbours each: (places uint16, values int8), both [n, (1 + k) × BLOCKS].

    Word w has its own identity plus `share * closeness[w, j] / 255` times the identity of word `neighbours[w, j]`
    (uint16 and uint8 [n, k]), all times 127 / `ENTRY`. Entries at the same place are listed separately.
    """
    n, k = neighbours.shape
    places = np.empty((n, (1 + k) * BLOCKS), np.uint16)
    values = np.empty((n, (1 + k) * BLOCKS), np.int8)
    for word in range(n):
        for j in range(1 + k):
            other = np.int64(word) if j == 0 else np.int64(neighbours[word, j - 1])
            size = 127.0 if j == 0 else 127.0 * share * closeness[word, j - 1] / 255.0
            bits = split_mix(np.uint64(other))
            for block in range(BLOCKS):
                place, sign = identity_entry(bits, block, dim)
                places[word, j * BLOCKS + block] = place
                values[word, j * BLOCKS + block] = np.int8(np.rint(size) * sign)
    return places, values


@kernel
def identity_entry(bits: np.uint64, block: int, length: int) -> tuple[np.int64, np.int64]:
    """(place, sign ±1) of entry `block` of the identity vector that the 64 random bits `bits` give.

    An identity has one entry in each of `BLOCKS` equal parts of a vector of `length`, 16 bits each: 15 for the place,
    one for the sign. That is the block construction of Kane & Nelson 2014, "Sparser Johnson-Lindenstrauss Transforms":
    two identities are nearly orthogonal, at four additions instead of `length`.
    """
    part = length // BLOCKS
    own = np.int64((bits >> np.uint64(16 * block)) & np.uint64(0xFFFF))
    return block * part + (((own >> 1) * part) >> 15), 1 - 2 * (own & 1)


@kernel
def unknown_token(characters: np.uint64, kind: int) -> np.int64:
    """The number of a token outside the vocabulary: −1 − (58 bits of hash, 2 bits of kind), so always < 0."""
    return -1 - ((np.int64(split_mix(characters) >> np.uint64(6)) << 2) | kind)


@kernel
def decode_text(data: np.ndarray, start: int, end: int, table: np.ndarray, codes: np.ndarray) -> int:
    """Decode `data[start:end]` (valid UTF-8, as Arrow guarantees) into `codes`. Returns the number of characters.

    `table` is uint16[65536], code point → code. Code points beyond the basic plane keep their own number when they are
    Han (planes 2 and 3) and separate words otherwise (emoji).
    """
    n = 0
    position, stop = np.uint64(start), np.uint64(end)
    while position < stop:
        point, position = decode_point(data, position)
        if point < 0x10000:
            codes[n] = table[point]
        else:
            codes[n] = point if 0x20000 <= point < 0x40000 else 0
        n += 1
    return n


@kernel
def is_han(code: int) -> bool:
    """Whether a code is a Han character (unified ideographs with extension A, and everything of planes 2 and 3)."""
    return code >= 0x3400 and (code < 0xA000 or code >= 0x20000)


@kernel
def is_digit(code: int) -> bool:
    """Whether a code is one of the digits 0 to 9."""
    return 0x30 <= code <= 0x39
