"""From an instruction to a verified WorkspaceEdit. Called by lsp and cli."""
