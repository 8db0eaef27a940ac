"""What is known of the user's files: document snapshots, the workspace index. Called by completion and refactor."""
