"""From a task to a decision: catalogue, filters, ranking, health, fit.

completion and refactor call this package.
"""
