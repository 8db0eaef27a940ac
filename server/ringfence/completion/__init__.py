"""From a cursor to ghost text: prompt, stream, post-processing. Called by lsp and cli."""
