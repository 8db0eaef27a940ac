"""Where models come from: one module per source, behind the protocol in ``protocol``."""
