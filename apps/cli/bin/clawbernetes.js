#!/usr/bin/env node
// Plain JavaScript that any Node can parse: it explains a too old Node before anything modern loads.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'clawbernetes needs Node 24 or newer; this is Node ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').\n' +
      'Install Node 24, or run it inside a project where "npm install node@24" put one into node_modules.',
  );
  process.exit(1);
}
import('../dist/main.js');
