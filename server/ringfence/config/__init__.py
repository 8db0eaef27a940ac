"""The user's settings: models, loading, and where files are kept."""
