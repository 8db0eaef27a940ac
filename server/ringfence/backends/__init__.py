"""One module per kind of model server, all behind one protocol.

Routing and the features above it call this package. It reaches the network only
through the gate of ``ringfence.privacy``.
"""
