// npm run bench -- <name> [--json] [--small] [options of the benchmark]
// Runs test/perf/<name>.ts against the built packages (what users run), after bringing the build up to date.
// With --json the last line of the output is one object: {name, machine, results, peers, ratios}.
import { globSync } from 'node:fs';
import path from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { OptionError, type Benchmark, type BenchmarkReport } from './bench/benchmark.ts';
import { figureTable } from './bench/figure-table.ts';
import { thisMachine } from './bench/machine.ts';
import { runCommand } from './run-command.ts';

const root = path.resolve(import.meta.dirname, '..');
const folder = path.join(root, 'test', 'perf');

function benchmarkNames(): string[] {
  return globSync('*.ts', { cwd: folder })
    .map((file) => path.basename(file, '.ts'))
    .toSorted();
}

/** What to say to someone who named no benchmark, or one that does not exist. */
async function explainNames(name: string | undefined): Promise<string> {
  await runCommand('tsc', ['-b', 'packages/kernel'], { cwd: root });
  const { nearest } = await import('@clawbernetes/kernel');
  const names = benchmarkNames();
  const meant = name === undefined ? undefined : nearest(name, names);
  const problem = name === undefined ? 'Which benchmark?' : `There is no benchmark "${name}".`;
  const known = names.length > 0 ? names.join(', ') : 'none yet; add one to test/perf';
  return `${problem}${meant === undefined ? '' : ` Did you mean "${meant}"?`}\nBenchmarks: ${known}.`;
}

/** What a file of test/perf exports. */
interface BenchmarkModule {
  readonly default: Benchmark;
  /** What it takes beside --json and --small: text each. */
  readonly options?: Readonly<Record<string, { readonly type: 'string' }>>;
}

const COMMON = {
  json: { type: 'boolean' },
  small: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

async function runBenchmark(name: string): Promise<BenchmarkReport & { readonly asJson: boolean }> {
  const module = (await import(path.join(folder, `${name}.ts`))) as BenchmarkModule;
  const { values } = parseArgs({ options: { ...module.options, ...COMMON }, allowPositionals: true });
  const { json = false, small = false, ...own } = values;
  const log = (line: string): void => console.log(`${name}: ${line}`);
  return { ...(await module.default({ small, log, values: own })), asJson: json };
}

async function main(): Promise<number> {
  const name = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
  if (name === undefined || !benchmarkNames().includes(name)) {
    console.error(await explainNames(name));
    return 5;
  }
  const build = await runCommand('tsc', ['-b'], { cwd: root });
  if (build.exitCode !== 0) return build.exitCode;
  const machine = thisMachine();
  console.log(`${name}: ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.kernel}`);
  const report = await runBenchmark(name);
  for (const line of figureTable(report)) console.log(line);
  const { results, peers, ratios } = report;
  if (report.asJson) console.log(JSON.stringify({ name, machine, results, peers, ratios }));
  return 0;
}

/** What was asked for wrongly is told without a trace; all else is a defect, and shows where. */
function isMisuse(error: unknown): error is Error {
  const code = error instanceof TypeError && 'code' in error ? String(error.code) : '';
  return error instanceof OptionError || code.startsWith('ERR_PARSE_ARGS');
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!isMisuse(error)) throw error;
  console.error(error.message);
  process.exitCode = 5;
}
