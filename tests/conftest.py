"""Fixtures that several rooms use."""

from cmtp.threads import limit_threads

limit_threads()  # as in every process of a build, before a library reads it
