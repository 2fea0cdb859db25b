// Turns: for how long the event loop of a gateway is held at most, since a status read can wait that long. A
// real fleet on SQLite in this process, driven by hand; measured are laps of the event loop.
//   longestSliceMs.freedNodeManyShapes: a GPU becomes free while many shapes wait; the worst of `freedNode`,
//     by what keeps them waiting (see support/turns/scenes.ts)
//   longestSliceMs.firstLook: the first look for who should make room; the worst of `look`, by ground
//   longestSliceMs.asked: somebody asks why a workload waits, or what if; the worst of `why` and `whatIf`
//   longestSliceMs.why, .whyLimited: of those, the first two
//   longestSliceMs.gangPreemption: others make room for a gang of members that take a node each
//   longestSliceMs.survey: a monitor asks for figures of all nodes and GPUs
//   longestSliceMs.idle: nothing happens
// Each is the median of rounds with a new fleet; `worstMs` has the worst round.
import type { Benchmark, Figures } from '../../tools/bench/benchmark.ts';
import { median, round } from './support/statistics.ts';
import {
  asked,
  firstLook,
  FREED_KINDS,
  freedNode,
  gangPreemption,
  idle,
  QUESTIONS,
  survey,
} from './support/turns/scenes.ts';

const SMALL = { rounds: 1, freed: { nodes: 10, shapes: 500 }, looked: 50, nodes: 100, members: 4 };
const FULL = {
  rounds: 3,
  freed: { nodes: 100, shapes: 20_000 },
  looked: 1000,
  nodes: 5000,
  members: 64,
};

/** Only scenes whose names begin so; how often each is played. */
export const options = { scene: { type: 'string' }, rounds: { type: 'string' } } as const;

export default (async ({ small, log, values: { scene, rounds } }) => {
  const sizes = { ...(small ? SMALL : FULL), ...(rounds === undefined ? {} : { rounds: Number(rounds) }) };
  const scenes: Record<string, () => Promise<number>> = {
    ...Object.fromEntries(
      FREED_KINDS.map((kind) => [`freedNode.${kind}`, () => freedNode(kind, sizes.freed)]),
    ),
    'look.priority': () => firstLook('priority', sizes.looked),
    'look.guarantee': () => firstLook('guarantee', sizes.looked),
    ...Object.fromEntries(QUESTIONS.map((question) => [question, () => asked(question, sizes.nodes)])),
    gangPreemption: () => gangPreemption(sizes.nodes, sizes.members),
    survey: () => survey(sizes.nodes),
    idle: () => idle(sizes.nodes),
  };
  const [medians, worst]: [Record<string, number>, Record<string, number>] = [{}, {}];
  for (const [name, play] of Object.entries(scenes)) {
    if (scene !== undefined && !name.startsWith(scene)) continue;
    const slicesMs: number[] = [];
    for (let count = 0; count < sizes.rounds; count += 1) slicesMs.push(await play());
    medians[name] = round(median(slicesMs));
    worst[name] = round(Math.max(...slicesMs));
    log(`${name}: ${medians[name]} ms (${slicesMs.map((ms) => round(ms)).join(', ')})`);
  }
  return { results: { longestSliceMs: figures(medians), worstMs: figures(worst) }, peers: {}, ratios: {} };
}) satisfies Benchmark;

function figures(byScene: Readonly<Record<string, number>>): Figures {
  const worstOf = (prefix: string): number | null => {
    const all = Object.entries(byScene).flatMap(([name, ms]) => (name.startsWith(prefix) ? [ms] : []));
    return all.length > 0 ? Math.max(...all) : null;
  };
  const { why = null, whyLimited = null, gangPreemption: gang = null } = byScene;
  const { survey: scrape = null, idle: calm = null } = byScene;
  return {
    ...{ freedNodeManyShapes: worstOf('freedNode.'), firstLook: worstOf('look.') },
    ...{ asked: worstOf('wh'), why, whyLimited, gangPreemption: gang },
    ...{ survey: scrape, idle: calm },
    scenes: { ...byScene },
  };
}
