"""The embedded llama.cpp server that this program starts and owns, and its models."""
