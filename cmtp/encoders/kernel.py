"""The numba kernel of the static encoder: UTF-8 → normalised characters → words → vector, no Python object per token.

Characters are *codes*: the code point after normalisation (see `distill.character_table`), 0 for anything that
separates words. Tokens are numbers: from 0 up a row of the vocabulary, below 0 the hash of a token that is not in it.
"""

import numpy as np

from cmtp.encoders.trie import EDGE_MULTIPLIER
from cmtp.kernels.jit import kernel

LETTERS, DIGITS, HAN = 0, 1, 2
"""Kinds of unknown token."""

ARITHMETIC = 1
"""Part of the encoder's `weights_hash`: to be raised whenever a change here changes a vector."""

HASH_SLOTS = 1 << 16
"""Unknown tokens are counted per text in this many slots; two that share one are counted as one token."""

BLOCKS = 4
"""Entries of an identity vector. Two tokens that share all of them do not occur; with fewer, clashes are harder."""

ENTRY = np.float32(0.5)
"""1/√BLOCKS: an entry's size, so that identities have length 1."""


@kernel
def mix(x: np.uint64) -> np.uint64:
    """Finaliser of splitmix64 (Steele, Lea & Flood 2014): a bijection of 64 bits whose output looks random."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def decode(data: np.ndarray, start: int, end: int, table: np.ndarray, codes: np.ndarray) -> int:
    """Decode `data[start:end]` (valid UTF-8, as Arrow guarantees) into `codes`; returns how many characters.

    `table` is uint16[65536], code point → code. Code points beyond the basic plane keep their own number when they are
    Han (planes 2 and 3) and separate words otherwise (emoji).
    """
    n = 0
    i = start
    while i < end:
        b = np.int32(data[i])
        if b < 0x80:
            cp = b
            i += 1
        elif b < 0xE0:
            cp = ((b & 0x1F) << 6) | (np.int32(data[i + 1]) & 0x3F)
            i += 2
        elif b < 0xF0:
            cp = ((b & 0x0F) << 12) | ((np.int32(data[i + 1]) & 0x3F) << 6) | (np.int32(data[i + 2]) & 0x3F)
            i += 3
        else:
            cp = ((b & 0x07) << 18) | ((np.int32(data[i + 1]) & 0x3F) << 12)
            cp |= ((np.int32(data[i + 2]) & 0x3F) << 6) | (np.int32(data[i + 3]) & 0x3F)
            i += 4
        if cp < 0x10000:
            codes[n] = table[cp]
        else:
            codes[n] = cp if 0x20000 <= cp < 0x40000 else 0
        n += 1
    return n


@kernel
def next_node(edges: np.ndarray, shift: np.uint64, node: np.int64, code: int) -> np.int64:
    """The node that `code` leads to from `node`, 0 if there is none."""
    key = (np.uint64(node) << np.uint64(18)) | np.uint64(code)
    at = np.int64((key * EDGE_MULTIPLIER) >> shift)
    while True:
        e = edges[at]
        if e == 0:
            return np.int64(0)
        if (e >> np.uint64(21)) == key:
            return np.int64(e & np.uint64(0x1FFFFF))
        at = (at + 1) & (edges.size - 1)


@kernel
def unknown_token(characters: np.uint64, kind: int) -> np.int64:
    """The number of a token outside the vocabulary: −1 − (58 bits of hash, 2 bits of kind), so always < 0."""
    return -1 - ((np.int64(mix(characters) >> np.uint64(6)) << 2) | kind)


@kernel
def is_han(code: int) -> bool:
    """Whether a code is a Han character (unified ideographs with extension A, and everything of planes 2 and 3)."""
    return code >= 0x3400 and (code < 0xA000 or code >= 0x20000)


@kernel
def segment(
    codes: np.ndarray,
    n: int,
    root: np.ndarray,
    edges: np.ndarray,
    word_at: np.ndarray,
    costs: np.ndarray,
    unknown_cost: float,
    best: np.ndarray,
    choice: np.ndarray,
    length: np.ndarray,
    tokens: np.ndarray,
    ends: np.ndarray,
) -> int:
    """Cut `codes[:n]` into words; returns how many tokens it wrote.

    A run of Han characters is cut along the cheapest path through the vocabulary, where word w costs
    `costs[w]` = −ln p (the unigram model of jieba and SentencePiece) and a character in no word costs `unknown_cost`.
    A run of letters and a run of digits are one token each, looked up whole.

    Output: `tokens` int64, a vocabulary row ≥ 0 or an `unknown_token` < 0; `ends` int32, where each ends in `codes`.
    Scratch: `best` f32, `choice` and `length` int32. All of them hold at least n + 1.
    """
    shift = np.uint64(64)
    size = edges.size
    while size > 1:
        size >>= 1
        shift -= np.uint64(1)
    m = 0
    i = 0
    while i < n:
        c = codes[i]
        if c == 0:
            i += 1
            continue
        if not is_han(c):
            digits = 0x30 <= c <= 0x39
            node = np.int64(root[c])
            h = np.uint64(c)
            j = i + 1
            while j < n and codes[j] != 0 and not is_han(codes[j]) and (0x30 <= codes[j] <= 0x39) == digits:
                if node > 0:
                    node = next_node(edges, shift, node, codes[j])
                h = mix(h) + np.uint64(codes[j])
                j += 1
            if node > 0 and word_at[node] >= 0:
                tokens[m] = word_at[node]
            else:
                tokens[m] = unknown_token(h, DIGITS if digits else LETTERS)
            ends[m] = j
            m += 1
            i = j
            continue
        end = i
        while end < n and is_han(codes[end]):
            end += 1
        best[end] = np.float32(0.0)
        for s in range(end - 1, i - 1, -1):  # right to left, so that the walk afterwards goes left to right
            best[s] = best[s + 1] + np.float32(unknown_cost)
            choice[s] = -1
            length[s] = 1
            node = np.int64(root[codes[s]]) if codes[s] < 65536 else np.int64(0)
            t = s + 1
            while node > 0:
                w = word_at[node]
                if w >= 0 and costs[w] + best[t] < best[s]:
                    best[s] = costs[w] + best[t]
                    choice[s] = w
                    length[s] = t - s
                if t == end:
                    break
                node = next_node(edges, shift, node, codes[t])
                t += 1
        while i < end:
            w = choice[i]
            tokens[m] = w if w >= 0 else unknown_token(np.uint64(codes[i]), HAN)
            i += length[i]
            ends[m] = i
            m += 1
    return m


@kernel
def identity_entry(bits: np.uint64, block: int, length: int) -> tuple[np.int64, np.int64]:
    """(place, sign ±1) of entry `block` of the identity vector whose 64 random bits are `bits`.

    An identity has one entry in each of `BLOCKS` equal parts of a vector of `length`, 16 bits each: 15 for the place,
    one for the sign. That is the block construction of Kane & Nelson 2014, "Sparser Johnson-Lindenstrauss Transforms":
    two identities are nearly orthogonal, at four additions instead of `length`.
    """
    part = length // BLOCKS
    own = np.int64((bits >> np.uint64(16 * block)) & np.uint64(0xFFFF))
    return block * part + (((own >> 1) * part) >> 15), 1 - 2 * (own & 1)


@kernel
def word_entries(
    neighbours: np.ndarray, closeness: np.ndarray, share: float, dim: int
) -> tuple[np.ndarray, np.ndarray]:
    """The sparse vectors of n words with k neighbours each: (places uint16, values int8), both [n, (1 + k) × BLOCKS].

    Word w has its own identity plus `share * closeness[w, j] / 255` times the identity of word `neighbours[w, j]`
    (uint16 and uint8 [n, k]), all times 127 / `ENTRY`. Entries that meet in one place are listed one by one.
    """
    n, k = neighbours.shape
    places = np.empty((n, (1 + k) * BLOCKS), np.uint16)
    values = np.empty((n, (1 + k) * BLOCKS), np.int8)
    for word in range(n):
        for j in range(1 + k):
            other = np.int64(word) if j == 0 else np.int64(neighbours[word, j - 1])
            size = 127.0 if j == 0 else 127.0 * share * closeness[word, j - 1] / 255.0
            bits = mix(np.uint64(other))
            for block in range(BLOCKS):
                place, sign = identity_entry(bits, block, dim)
                places[word, j * BLOCKS + block] = place
                values[word, j * BLOCKS + block] = np.int8(np.rint(size) * sign)
    return places, values


@kernel
def encode_texts(
    data: np.ndarray,
    offsets: np.ndarray,
    limit: int,
    table: np.ndarray,
    root: np.ndarray,
    edges: np.ndarray,
    word_at: np.ndarray,
    costs: np.ndarray,
    unknown_cost: float,
    places: np.ndarray,
    values: np.ndarray,
    scales: np.ndarray,
    unknown: np.ndarray,
    repeat_power: float,
    out: np.ndarray,
) -> None:
    """Fill `out` f32 [n, dim] with the encodings of n texts; text i is `data[offsets[i]:offsets[i + 1]]`, UTF-8.

    Word w of the vocabulary adds `scales[w] * values[w, k]` at `places[w, k]` for every k; an unknown token adds its
    identity times `unknown[kind]` (f32[3]). A token that occurs t times counts t^`repeat_power` times. Only the first
    `limit` characters of a text are read (0: all).
    """
    longest = 0
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    room = longest + 1
    codes = np.empty(room, np.int32)
    best = np.empty(room, np.float32)
    choice = np.empty(room, np.int32)
    length = np.empty(room, np.int32)
    tokens = np.empty(room, np.int64)
    ends = np.empty(room, np.int32)
    n_words = scales.shape[0]
    counts = np.zeros(n_words + HASH_SLOTS, np.int32)
    for i in range(offsets.size - 1):
        n = decode(data, offsets[i], offsets[i + 1], table, codes)
        if limit > 0:
            n = min(n, limit)
        m = segment(codes, n, root, edges, word_at, costs, unknown_cost, best, choice, length, tokens, ends)
        distinct = 0
        for k in range(m):
            token = tokens[k]
            slot = token if token >= 0 else n_words + ((-1 - token) >> 2) % HASH_SLOTS
            counts[slot] += 1
            if counts[slot] == 1:
                tokens[distinct] = token
                distinct += 1
        row = out[i]
        for k in range(distinct):
            token = tokens[k]
            if token >= 0:
                weight = scales[token] * np.float32(counts[token] ** repeat_power)
                counts[token] = 0
                for j in range(places.shape[1]):
                    row[places[token, j]] += weight * np.float32(values[token, j])
            else:
                slot = n_words + ((-1 - token) >> 2) % HASH_SLOTS
                weight = unknown[(-1 - token) & 3] * np.float32(counts[slot] ** repeat_power)
                counts[slot] = 0
                bits = mix(np.uint64(-token))
                for block in range(BLOCKS):
                    place, sign = identity_entry(bits, block, row.size)
                    row[place] += weight * ENTRY * np.float32(sign)
        square = np.float32(0.0)
        for d in range(row.size):
            square += row[d] * row[d]
        if square > 0:
            norm = np.float32(1.0) / np.sqrt(square)
            for d in range(row.size):
                row[d] *= norm
