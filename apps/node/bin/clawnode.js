#!/usr/bin/env node
// Plain JavaScript that any Node can parse: it explains a too old Node before anything modern loads.
import { setFlagsFromString } from 'node:v8';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'clawnode needs Node 24 or newer; this is Node ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').\n' +
      'Install Node 24, or run it inside a project where "npm install node@24" put one into node_modules.',
  );
  process.exit(1);
}

// glibc keeps what a flood of output took (100 MiB of agent and supervisor together), unless pieces of Node's
// read size are mappings of their own. It reads its settings when a process begins, so this one begins anew.
if (process.platform === 'linux' && process.env.MALLOC_MMAP_THRESHOLD_ === undefined) {
  const malloc = {
    MALLOC_ARENA_MAX: '1',
    MALLOC_MMAP_THRESHOLD_: '65536',
    MALLOC_TRIM_THRESHOLD_: '131072',
  };
  process.execve(
    process.execPath,
    [process.execPath].concat(process.execArgv, '--expose-gc', process.argv.slice(1)),
    { ...process.env, ...malloc },
  );
}

// An idle agent should be small (agent and supervisor together below 130 MiB), after work, too. Starting runs
// everything once, so even the baseline compiler only costs memory then. The optimising ones stay off: they
// would cost 5 MiB for good, and save a third of the little CPU time that a flood of output or of jobs takes.
const STARTED_AFTER_MS = 5000;
setFlagsFromString('--max-semi-space-size=1');
setFlagsFromString('--optimize-for-size');
for (const compiler of ['opt', 'maglev', 'sparkplug']) setFlagsFromString('--no-' + compiler);
setTimeout(() => {
  setFlagsFromString('--sparkplug');
}, STARTED_AFTER_MS).unref();

import('../dist/main.js');
