"""The nearest passages by a scan in int8: about twice as fast as float32, on processors with AVX-512 VNNI.

Contract of `nearest`, the one function that the rest of the project calls:

- In: queries [n, dim] and a pool [m, dim], float32, contiguous; k.
- Out: rows int64 and scores float32, [n, k] each: best first, equal scores by row. Exact: the rows are those of a
  search that scores every passage with `cmtp.kernels.dot`, and so are the scores, bit by bit.
- Or None, if this processor lacks the instruction or the search is too small to gain from it. The caller then searches
  by itself. It gets the same bytes if it also decides by `cmtp.kernels.dot.decide`.
- Queries with too many near misses are not decided. `Found.given_up` names them, and the caller searches for them.
- The number of threads changes nothing.

Inside: `scan` finds the candidates (the algorithm and its invariants are written there); `tile` is its innermost step,
written in LLVM's intermediate language because numba does not find the instruction by itself.
"""

from cmtp.kernels.int8.scan import Found, nearest
from cmtp.kernels.int8.tile import supported

__all__ = ["Found", "nearest", "supported"]
