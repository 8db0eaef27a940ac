"""How bytes come and go: stdio, TCP and WebSocket. Only ``lsp.run`` imports this package."""
