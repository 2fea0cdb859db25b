import type { FaultPlan, PlannedFault } from './fault-plan.ts';
import type { SimulationOptions, SimulationReport } from './run-simulation.ts';

const HOUR_MS = 3_600_000;
/** Past the last violation's moment, so that the step that shows it is still made, hours. */
const MARGIN_HOURS = 0.002;
const FEWEST_NODES = 1;

export type RunPlan = (plan: FaultPlan, options: SimulationOptions) => Promise<SimulationReport>;

export interface ShrinkOptions {
  readonly run: RunPlan;
  /** Runs at most. */
  readonly maxRuns: number;
  readonly log: (line: string) => void;
}

export interface Reproduction {
  readonly plan: FaultPlan;
  readonly report: SimulationReport;
  readonly runs: number;
}

/**
 * Makes a failing plan smaller while it still fails, with any violation: ends with it, leaves out faults by
 * halves, quarters and so on (Zeller's ddmin), then nodes. What is left out changes what comes after, so this
 * finds a small reproduction, not the smallest.
 */
export async function shrink(
  failing: FaultPlan,
  report: SimulationReport,
  { run, maxRuns, log }: ShrinkOptions,
): Promise<Reproduction> {
  let best = cutShort({ plan: failing, report, runs: 0 });
  const budget = { runs: 0 };
  const attempt = async (plan: FaultPlan): Promise<boolean> => {
    if (budget.runs >= maxRuns) return false;
    budget.runs += 1;
    const tried = await run(plan, { stopAtFirst: true });
    if (tried.violations.length === 0) return false;
    best = cutShort({ plan, report: tried, runs: budget.runs });
    log(
      `${best.plan.faults.length} faults, ${best.plan.nodes} nodes, ${best.plan.hours.toFixed(3)} h still fail`,
    );
    return true;
  };
  for (let parts = 2; best.plan.faults.length > 0;) {
    const smaller = await leaveOut(best.plan, parts, attempt);
    if (smaller) parts = Math.max(2, parts - 1);
    else if (parts >= best.plan.faults.length || budget.runs >= maxRuns) break;
    else parts = Math.min(best.plan.faults.length, parts * 2);
  }
  while (best.plan.nodes > FEWEST_NODES && (await attempt({ ...best.plan, nodes: best.plan.nodes - 1 }))) {
    // Each success has made `best` smaller.
  }
  return { ...best, runs: budget.runs };
}

/** One of so many parts is left out; answers whether that still failed. */
async function leaveOut(
  plan: FaultPlan,
  parts: number,
  attempt: (plan: FaultPlan) => Promise<boolean>,
): Promise<boolean> {
  const size = Math.ceil(plan.faults.length / parts);
  for (let start = 0; start < plan.faults.length; start += size) {
    const faults = plan.faults.filter((_, index) => index < start || index >= start + size);
    if (await attempt({ ...plan, faults })) return true;
  }
  return false;
}

/** Nothing after the first violation matters; a run that failed in its quiet end keeps its length. */
function cutShort({ plan, report, runs }: Reproduction): Reproduction {
  const hours = Math.min(plan.hours, report.simulatedHours + MARGIN_HOURS);
  const before = ({ atMs }: PlannedFault): boolean => atMs < hours * HOUR_MS;
  return { plan: { ...plan, hours, faults: plan.faults.filter(before) }, report, runs };
}
