"""Numba kernels that any room may call, and how a kernel is declared (`jit`).

A kernel is a function over numpy arrays that numba compiles: no Python object per row, character or token. Kernels that
serve one package are in that package, and those about text in `cmtp.text`. A kernel may call kernels of other files.

- `cmtp.kernels.hashing`: mixing of numbers, so that any of their bits can be used.
- `cmtp.kernels.tables`: hash tables.
- `cmtp.kernels.sets`: sets as sorted arrays, and how many values two of them share.
- `cmtp.kernels.dot`: dot products whose bits do not depend on the processor, and the choice of the nearest by them.
- `cmtp.kernels.int8`: the nearest vectors by a scan in int8, for processors with AVX-512 VNNI. Only its two public
  functions may be imported.
"""
