#!/usr/bin/env node
// Plain JavaScript that any Node can parse: it explains a too old Node before anything modern loads.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'claw-gateway needs Node 24 or newer; this is Node ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').\n' +
      'Install Node 24, or run it inside a project where "npm install node@24" put one into node_modules.',
  );
  process.exit(1);
}

// Nearly all that a gateway makes in a turn is gone after it, but for what it keeps for long. With the usual
// 16 MiB for young objects much of that is copied before it is dropped: a fifth of the time under load. How
// much there is of it is settled when a process begins, so this one begins anew.
const YOUNG = '--max-semi-space-size=64';
if (process.platform === 'linux' && !process.execArgv.includes(YOUNG))
  process.execve(process.execPath, [process.execPath].concat(process.execArgv, YOUNG, process.argv.slice(1)));

import('../dist/main.js');
