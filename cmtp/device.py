"""GPUs: how many there are, and which one a worker process uses.

Encoders compute there (`cmtp.encoders.sentence`), and so does exact search (`cmtp.mining.dense`).
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import re
from functools import cache

_DRIVERS = ("/dev/nvidiactl", "/dev/nvmap", "/dev/kfd", "/dev/dxg")
"""Device files of the drivers that torch can use: NVIDIA's, NVIDIA's on Tegra boards, AMD's, and WSL's. A machine that
has none of these has no GPU, and torch need not be imported (seconds, and 200 MB) to find that out."""


@cache
def gpus() -> int:
    """The number of GPUs that torch can use; 0 if torch is not installed."""
    if not any(map(os.path.exists, _DRIVERS)) or importlib.util.find_spec("torch") is None:
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def own_device() -> str:
    """The device of this process as torch names it: ``cuda:1``, or ``cpu`` on a machine that has no GPU.

    Worker processes take the GPUs in turn, in the order in which they were started. Python numbers them in the names
    that it gives them: ``SpawnProcess-3`` is the third child. The main process takes the first GPU.
    """
    count = gpus()
    if count == 0:
        return "cpu"
    numbers = re.search(r"-(\d+)(:\d+)*$", multiprocessing.current_process().name)
    return f"cuda:{(int(numbers[1]) - 1 if numbers else 0) % count}"
