"""The engine runs stages: tasks, store, ledger, executor, plan, progress. It knows nothing about text.

A stage is a list of steps. A step is a list of independent tasks. A task is a function with its arguments, its output
folder and its settings. The work of a stage is in the stage's own package, for example `cmtp.dedup`.
"""
