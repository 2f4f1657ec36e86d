"""Imported before torch."""

import cmtp.train  # noqa: F401 - sets how torch's threads wait
