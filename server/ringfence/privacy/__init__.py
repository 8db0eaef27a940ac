"""The ring: zones, policies, labels on text, and the one gate to the network.

Everything else may import this package; it imports nothing else of Ringfence.
"""

from .clearance import MANIFEST, TEMPLATE, Clearance, Fragment, Manifest, Source, SourceKind
from .endpoint import Endpoint
from .zones import Zone

__all__ = [
    "MANIFEST",
    "TEMPLATE",
    "Clearance",
    "Endpoint",
    "Fragment",
    "Manifest",
    "Source",
    "SourceKind",
    "Zone",
]
