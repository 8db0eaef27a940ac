"""The embedded llama.cpp server that this program starts and owns, and its models.

``client.Engine`` is what others use: it picks a model, starts the engine or joins the one
that runs, and fetches models. Each engine is three processes: the users (language
servers, the command line) hold leases; one ``supervisor`` owns and watches the server; the
``child`` is llama.cpp itself. ``backends`` and ``cli`` may import this package.

This module imports nothing, so that the supervisor and the child stay small.
"""
