"""The ring: zones, policies, labels on text, and the one gate to the network.

Everything else may import this package; it imports nothing else of Ringfence.
"""

from .audit import Audit, AuditEntry, AuditLog, NoAudit, read_audit, verify_audit
from .clearance import MANIFEST, TEMPLATE, Clearance, Fragment, Manifest, Source, SourceKind
from .endpoint import Endpoint
from .gate import Gate, GateRefusal
from .policy import FolderRule, Policy
from .ring import Ring, Verdict
from .zones import Zone

__all__ = [
    "MANIFEST",
    "TEMPLATE",
    "Audit",
    "AuditEntry",
    "AuditLog",
    "Clearance",
    "Endpoint",
    "FolderRule",
    "Fragment",
    "Gate",
    "GateRefusal",
    "Manifest",
    "NoAudit",
    "Policy",
    "Ring",
    "Source",
    "SourceKind",
    "Verdict",
    "Zone",
    "read_audit",
    "verify_audit",
]
