// Run Khronos' glTF validator on files:
//
//     npm install gltf-validator@2.0.0-dev.3.10
//     node tools/validate_gltf.mjs node_modules FILE.glb...
//
// Prints one JSON line per file: its path, and the number of errors, warnings, infos and hints with the first messages.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [modules, ...files] = process.argv.slice(2);
const require = createRequire(resolve(modules, "any.js"));
const validator = require("gltf-validator");

for (const file of files) {
  const content = new Uint8Array(await readFile(file));
  const { issues } = await validator.validateBytes(content, { uri: file, maxIssues: 20 });
  const { numErrors, numWarnings, numInfos, numHints, messages } = issues;
  console.log(JSON.stringify({ file, errors: numErrors, warnings: numWarnings, infos: numInfos, hints: numHints, messages }));
}
