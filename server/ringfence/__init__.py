"""Ringfence: completions and refactors that stay inside the ring their owner drew."""

__version__ = "0.1.0"
