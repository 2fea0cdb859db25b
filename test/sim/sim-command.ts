import type { FaultPlan } from './fault-plan.ts';

const DEFAULT_NODES = 6;

/** What a person types to see the run of this plan again, with all of its faults. */
export function simCommand({ seed, hours, nodes, pace }: Omit<FaultPlan, 'faults'>): string {
  const options = [`--seed ${seed}`, `--hours ${hours}`];
  if (nodes !== DEFAULT_NODES) options.push(`--nodes ${nodes}`);
  if (pace !== 1) options.push(`--pace ${pace}`);
  return `npm run sim -- ${options.join(' ')}`;
}
