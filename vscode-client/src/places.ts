/** Asks VS Code and the operating system where a server program may lie. */

import * as path from "node:path";
import * as vscode from "vscode";

import type { Places } from "./server.ts";

/** The part of the Python extension's API that tells the chosen interpreter. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(): { readonly path: string };
  };
}

export async function placesToLook(): Promise<Places> {
  return {
    setting: vscode.workspace.getConfiguration("ringfence").get<string>("server.path", ""),
    interpreter: await chosenInterpreter(),
    searchPath: (process.env["PATH"] ?? "").split(path.delimiter).filter(Boolean),
    windows: process.platform === "win32",
  };
}

async function chosenInterpreter(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi | undefined>("ms-python.python");
  if (!extension) {
    return undefined;
  }
  const api = extension.isActive ? extension.exports : await extension.activate();
  return api?.environments.getActiveEnvironmentPath().path;
}
