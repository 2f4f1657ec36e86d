"""Runs the command line and stops it at an event: python -m tests.stopping SIGNAL MODULE FUNCTION COUNT ARGUMENTS...

The event is the COUNT-th call of a function in the main process. Ctrl-C (INT) goes to the whole process group, as a
terminal sends it; KILL goes to the main process alone, so that its workers have to notice.
"""

import os
import signal
import sys
from multiprocessing import parent_process


def stop_at(number, module, function, count):
    """Send the signal from inside the count-th call, whatever the main thread holds or waits for at that moment."""
    left = count

    def watch(frame, event, _):
        nonlocal left
        if event == "call" and frame.f_code.co_qualname == function and frame.f_globals.get("__name__") == module:
            left -= 1
            if left == 0:
                sys.setprofile(None)
                if number == signal.SIGINT:
                    os.killpg(0, number)
                else:
                    os.kill(os.getpid(), number)

    sys.setprofile(watch)


if __name__ == "__main__" and parent_process() is None:
    name, module, function, count = sys.argv[1:5]
    sys.argv[1:5] = []
    from cmtp.__main__ import main

    stop_at(signal.Signals[f"SIG{name}"], module, function, int(count))
    main()
