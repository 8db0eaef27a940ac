import assert from "node:assert/strict";
import { test } from "node:test";

import { findServer, type Places } from "../src/server.ts";

const places: Places = {
  setting: "",
  interpreter: "/venv/bin/python",
  searchPath: ["/usr/local/bin", "/usr/bin"],
  windows: false,
};

test("the setting comes first", () => {
  const found = findServer({ ...places, setting: "/opt/ringfence" }, () => true);

  assert.equal(found?.command, "/opt/ringfence");
});

test("the chosen interpreter's environment comes before PATH", () => {
  const found = findServer(places, () => true);

  assert.equal(found?.command, "/venv/bin/ringfence");
});

test("PATH is searched in order", () => {
  const found = findServer(places, (file) => file.startsWith("/usr/"));

  assert.equal(found?.command, "/usr/local/bin/ringfence");
});

test("a place that does not exist is passed over", () => {
  const found = findServer({ ...places, setting: "/gone" }, (file) => file === "/usr/bin/ringfence");

  assert.deepEqual(found, { command: "/usr/bin/ringfence", origin: "PATH" });
});

test("nothing is found when nothing is there", () => {
  assert.equal(findServer(places, () => false), undefined);
});
