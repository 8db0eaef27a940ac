/** One language client for all folders of the window. */

import { existsSync } from "node:fs";
import * as vscode from "vscode";
import { LanguageClient, State, TransportKind } from "vscode-languageclient/node";

import { placesToLook } from "./places.ts";
import { findServer } from "./server.ts";
import type { StatusItem } from "./status.ts";

const INSTALL = "Copy Install Command";
const INSTALL_COMMAND = 'pipx install "ringfence[engine]"';

export class Client {
  private running: LanguageClient | undefined;

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly status: StatusItem,
  ) {}

  /** Starts the server; tells the user what to do when there is none. */
  async start(): Promise<void> {
    const program = findServer(await placesToLook(), existsSync);
    if (!program) {
      this.status.failed("Ringfence's server is not installed.");
      await this.offerInstallation();
      return;
    }
    this.log.info(`Starting ${program.command}, found by ${program.origin}.`);
    const run = { command: program.command, args: ["serve"], transport: TransportKind.stdio };
    const client = new LanguageClient(
      "ringfence",
      "Ringfence",
      { run, debug: run },
      {
        documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }],
        outputChannel: this.log,
        initializationOptions: { trusted: vscode.workspace.isTrusted },
      },
    );
    client.onDidChangeState(({ newState }) => {
      this.status.serverIs(newState === State.Running ? "running" : "stopped");
    });
    this.running = client;
    try {
      await client.start();
    } catch (error) {
      this.status.failed(error instanceof Error ? error.message : String(error));
    }
  }

  async stop(): Promise<void> {
    const client = this.running;
    this.running = undefined;
    await client?.dispose();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Runs one of the server's commands. */
  async execute(command: string, ...args: unknown[]): Promise<unknown> {
    if (!this.running?.isRunning()) {
      throw new Error("Ringfence's server is not running; see Ringfence: Show Log.");
    }
    return this.running.sendRequest("workspace/executeCommand", { command, arguments: args });
  }

  private async offerInstallation(): Promise<void> {
    const choice = await vscode.window.showWarningMessage(
      "Ringfence's server is not installed. Install it, then run “Ringfence: Restart Server”.",
      INSTALL,
    );
    if (choice === INSTALL) {
      await vscode.env.clipboard.writeText(INSTALL_COMMAND);
    }
  }
}
