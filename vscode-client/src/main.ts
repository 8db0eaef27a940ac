/** Starts the language server and shows what it does. */

import * as vscode from "vscode";

import { Client } from "./client.ts";
import { registerCommands } from "./commands.ts";
import { StatusItem } from "./status.ts";

let client: Client | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Ringfence", { log: true });
  const status = new StatusItem();
  client = new Client(log, status);
  context.subscriptions.push(log, status, ...registerCommands(client, log));
  await client.start();
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
