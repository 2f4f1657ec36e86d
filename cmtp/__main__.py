"""The command `cmtp`. Loads the rest only after Ctrl-C has its handler.

Worker processes import this module again, which costs them nothing.
"""

from cmtp.interrupt import leave_on_interrupt


def main() -> None:
    """Entry point: exit 0 done, 1 it ran and something failed, 2 unusable arguments, 130 stopped by Ctrl-C."""
    leave_on_interrupt()
    from cmtp.cli import main as run

    run()


if __name__ == "__main__":
    main()
