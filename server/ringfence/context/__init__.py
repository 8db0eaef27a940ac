"""What is known of the user's files: document snapshots and the workspace index.

completion and refactor call this package.
"""
