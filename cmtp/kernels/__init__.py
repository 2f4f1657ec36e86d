"""Numba kernels that any room may call, and how a kernel is declared (`jit`).

A kernel is a function over numpy arrays that numba compiles: no Python object per row, character or token. Kernels that
know one room's matter stay in that room; those about text are in `cmtp.text`. A kernel may call kernels of other files.
"""
