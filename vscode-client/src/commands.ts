/** The commands of the palette. */

import * as vscode from "vscode";

import type { Client } from "./client.ts";

export function registerCommands(client: Client, log: vscode.LogOutputChannel): vscode.Disposable[] {
  return [
    vscode.commands.registerCommand("ringfence.showStatus", () => showStatus(client)),
    vscode.commands.registerCommand("ringfence.restart", () => client.restart()),
    vscode.commands.registerCommand("ringfence.showLog", () => {
      log.show();
    }),
  ];
}

/** Opens what the server says of itself: routes, health, and why nothing was shown. */
async function showStatus(client: Client): Promise<void> {
  try {
    const status = await client.execute("ringfence.status");
    const document = await vscode.workspace.openTextDocument({
      language: "json",
      content: JSON.stringify(status, undefined, 2),
    });
    await vscode.window.showTextDocument(document, { preview: true });
  } catch (error) {
    await vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
  }
}
