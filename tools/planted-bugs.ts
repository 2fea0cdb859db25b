// npm run planted-bugs [-- <part of a name> … --from <part> --keep <file> --seconds <n>]
// Plants one small defect after another in a copy of the sources and says what finds it: the test that is
// named for it, or a seed of the simulator. Ends with 1 if nothing finds one of them, or one has no verdict.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Judge } from './planted-bugs/judge.ts';
import type { Mutation } from './planted-bugs/mutation.ts';
import { MUTATIONS } from './planted-bugs/mutations.ts';
import { PlantedTree } from './planted-bugs/planted-tree.ts';
import { Verdicts } from './planted-bugs/verdicts.ts';

const root = path.resolve(import.meta.dirname, '..');

const { values, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: {
    // Leaves out what comes before the first with this in its name.
    from: { type: 'string' },
    // Of verdicts, read and written: what has one for these sources is not judged again.
    keep: { type: 'string' },
    // No other one is begun after so long.
    seconds: { type: 'string', default: 'Infinity' },
  },
});

await using tree = await PlantedTree.open(root);
const verdicts = await Verdicts.open(values.keep, root, await tree.fingerprint());
process.exitCode = (await judgeAll(chosen())) ? 0 : 1;

function chosen(): readonly Mutation[] {
  const { from } = values;
  const first = from === undefined ? 0 : MUTATIONS.findIndex(({ name }) => name.includes(from));
  if (first < 0) throw new Error(`no planted bug has "${from}" in its name`);
  return MUTATIONS.slice(first).filter(
    ({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)),
  );
}

/** Answers whether all are caught. */
async function judgeAll(mutations: readonly Mutation[]): Promise<boolean> {
  const judge = new Judge(root, tree);
  const limitMs = Number(values.seconds) * 1000;
  let [caught, judged, seconds] = [0, 0, 0];
  for (const mutation of mutations) {
    let verdict = await verdicts.get(mutation);
    if (!verdict && performance.now() < limitMs) {
      verdict = await judge.judge(mutation);
      await verdicts.set(mutation, verdict);
    }
    const result = verdict ? (verdict.caught ? 'caught' : 'NOT CAUGHT') : 'NO VERDICT';
    const took = verdict ? `${verdict.seconds} s` : '';
    console.log(`${result.padEnd(10)} ${took.padStart(6)}  ${mutation.name}`);
    if (!verdict) continue;
    if (verdict.by !== '') console.log(`${' '.repeat(19)}${verdict.by}`);
    judged += 1;
    seconds += verdict.seconds;
    if (verdict.caught) caught += 1;
  }
  const of = mutations.length;
  console.log(`${caught}/${of} planted bugs caught, ${of - judged} without a verdict; ${seconds} s`);
  return caught === of;
}
