/**
 * Where the server program is found, in this order: the setting, the environment of the
 * chosen Python interpreter, `PATH`. The first that exists is used.
 */

import * as path from "node:path";

export interface Places {
  /** The setting `ringfence.server.path`; empty when it is not set. */
  readonly setting: string;
  /** The interpreter that the user chose for Python, if any. */
  readonly interpreter: string | undefined;
  /** The folders of `PATH`. */
  readonly searchPath: readonly string[];
  readonly windows: boolean;
}

export interface ServerProgram {
  readonly command: string;
  /** Which of the places it came from, in words for the log. */
  readonly origin: string;
}

/** Returns the first server program that exists. */
export function findServer(
  places: Places,
  exists: (file: string) => boolean,
): ServerProgram | undefined {
  return candidates(places).find(({ command }) => exists(command));
}

function candidates(places: Places): ServerProgram[] {
  const name = places.windows ? "ringfence.exe" : "ringfence";
  const found: ServerProgram[] = [];
  if (places.setting) {
    found.push({ command: places.setting, origin: "the setting ringfence.server.path" });
  }
  if (places.interpreter) {
    const command = path.join(path.dirname(places.interpreter), name);
    found.push({ command, origin: "the chosen Python interpreter's environment" });
  }
  for (const folder of places.searchPath) {
    found.push({ command: path.join(folder, name), origin: "PATH" });
  }
  return found;
}
