"""What an editor sees: transports, documents and one thin module per LSP feature.

Only cli imports this package.
"""
