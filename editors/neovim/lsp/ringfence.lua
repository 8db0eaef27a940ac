-- Ringfence for Neovim 0.11 and newer, with no plugin.
-- Put this folder on 'runtimepath' (or copy the file to ~/.config/nvim/lsp/), then:
--   vim.lsp.enable("ringfence")
return {
  cmd = { "ringfence", "serve" },
  filetypes = {
    "python", "javascript", "javascriptreact", "typescript", "typescriptreact",
    "go", "rust", "java", "c", "cpp", "lua", "sh", "ruby", "gitcommit",
  },
  root_markers = { ".ringfence.yaml", ".git" },
}
