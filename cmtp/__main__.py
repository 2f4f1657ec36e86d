"""The command `cmtp`. It installs the handler of Ctrl-C before it loads anything else.

Worker processes import this module again, which costs them nothing.
"""

from cmtp.interrupt import leave_on_interrupt


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed at work, 2 unusable arguments, 130 stopped by Ctrl-C."""
    leave_on_interrupt()
    from cmtp.cli import main as run

    run()


if __name__ == "__main__":
    main()
