"""Numba kernels that any room may call, and how a kernel is declared (`jit`).

A kernel is a function over numpy arrays that numba compiles: no Python object per row, character or token. Kernels that
know one room's matter stay in that room; those about text are in `cmtp.text`. A kernel may call kernels of other files.

- `cmtp.kernels.hashing`: numbers mixed so that any of their bits can be used.
- `cmtp.kernels.tables`: hash tables.
- `cmtp.kernels.sets`: sets as sorted arrays, what two have in common.
- `cmtp.kernels.dot`: dot products whose bits do not depend on the processor, and the choice of the nearest by them.
- `cmtp.kernels.int8`: the nearest vectors by a scan in int8, for processors with AVX-512 VNNI, behind a wall.
"""
