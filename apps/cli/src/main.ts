import { systemClock, systemRandom } from '@clawbernetes/kernel';
import { readConfig } from './config.ts';
import { runCli } from './run-cli.ts';
import { openTerminal } from './terminal.ts';

const config = readConfig();
const terminal = openTerminal(config);
// Idle keep-alive connections would hold the process for seconds; everything written is out by now.
process.exit(await runCli({ terminal, clock: systemClock, random: systemRandom }, config));
