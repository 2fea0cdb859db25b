// A small process of its own for bare spawning: what a fork costs depends on the size of the process that
// forks.
import { processesPerSecond } from './peers.ts';

const [program = '[]', count = '0', parallel = '1'] = process.argv.slice(2);
console.log(await processesPerSecond(JSON.parse(program) as string[], Number(count), Number(parallel)));
