/** The item in the status bar: whether the server runs, and what is wrong when it does not. */

import * as vscode from "vscode";

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;

  constructor() {
    this.item = vscode.window.createStatusBarItem("ringfence.status", vscode.StatusBarAlignment.Right);
    this.item.name = "Ringfence";
    this.item.command = "ringfence.showStatus";
    this.serverIs("stopped");
    this.item.show();
  }

  serverIs(state: "running" | "stopped"): void {
    const running = state === "running";
    this.item.text = running ? "$(shield) Ringfence" : "$(circle-slash) Ringfence";
    this.item.tooltip = running ? "Ringfence is running" : "Ringfence's server is not running";
    this.item.backgroundColor = undefined;
    this.item.accessibilityInformation = { label: this.item.tooltip };
  }

  failed(reason: string): void {
    this.item.text = "$(warning) Ringfence";
    this.item.tooltip = reason;
    this.item.backgroundColor = new vscode.ThemeColor("statusBarItem.warningBackground");
    this.item.accessibilityInformation = { label: `Ringfence: ${reason}` };
  }

  dispose(): void {
    this.item.dispose();
  }
}
