"""From a task to a decision: catalogue, filters, ranking, health, fit. Called by completion and refactor."""
