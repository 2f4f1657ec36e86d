"""One thread per process. Tasks run side by side instead, and no sum depends on the number of its threads.

Imports no library, because the limits count only when they are set before a library reads them.
"""

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")


def limit_threads() -> None:
    """Limit the numerical libraries of this process, and of the processes it starts, to one thread each."""
    os.environ.update(dict.fromkeys(VARIABLES, "1"))


def check_threads() -> None:
    """Raise CmtpError if this process is not limited: its sums would depend on the number of its threads."""
    free = [name for name in VARIABLES if os.environ.get(name) != "1"]
    if free:
        from cmtp.errors import CmtpError

        raise CmtpError(
            f"{', '.join(free)} must be 1 before the numerical libraries are imported: call "
            "cmtp.threads.limit_threads() at the start of the process"
        )


def usable_cores() -> int:
    """Cores that this process may use: on Linux those that its affinity mask allows, elsewhere all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
