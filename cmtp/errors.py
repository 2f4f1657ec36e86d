"""Errors that a person reads: each says what, where and what to do. None of them shows a traceback."""

from __future__ import annotations


class CmtpError(Exception):
    """The work ran and something failed (exit code 1)."""

    exit_code = 1


class UsageError(CmtpError):
    """Unusable arguments, recipe or source, found before any work (exit code 2)."""

    exit_code = 2


DISK_FULL = "Free some space and start the same command again: finished tasks are not repeated."
"""Remedy of a full disk."""
