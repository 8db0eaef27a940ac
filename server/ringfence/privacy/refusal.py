"""What the gate raises."""

from __future__ import annotations

import httpx2


class GateRefusal(httpx2.TransportError):
    """A request was refused at the gate, or cut off because its text may travel no longer.

    The message is one sentence with the reason, without any text of the request.
    """
