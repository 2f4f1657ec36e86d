"""What runs stages: tasks, store, ledger, executor, plan, progress. Knows nothing about text.

A stage is a list of steps, a step a list of independent tasks, a task a function with the names of its inputs, its
output folder and its settings. What a stage does with text lives in the stage's own package.
"""
