import { Faults, type Fault } from './faults.ts';
import { ConfigModel } from './config-model.ts';
import { Simulation } from './simulation.ts';
import { WorkloadModel } from './workload-model.ts';

export interface SimulationReport {
  readonly seed: number;
  readonly simulatedHours: number;
  /** Frames that arrived. */
  readonly steps: number;
  readonly workloads: number;
  readonly refused: number;
  readonly faults: Readonly<Record<Fault, number>>;
  readonly traceHash: string;
  readonly violations: readonly string[];
}

const NODES = 3;
const STEP_MS = 500;
const BURST = 30;
const BURST_CHANCE = 0.002;
/** After the last fault: time for all work to end and all differences to be repaired. */
const QUIET_MS = 600_000;

/**
 * Runs the whole system for so many virtual hours and reports what it saw; the same seed gives the same
 * trace.
 */
export async function runSimulation(seed: number, hours: number): Promise<SimulationReport> {
  const simulation = await Simulation.open(seed, NODES);
  const model = new WorkloadModel(simulation);
  const config = new ConfigModel(simulation, model.violate);
  const faults = new Faults(simulation, () => model.supervisorCrashed());
  const endMs = simulation.clock.monotonicMs() + hours * 3_600_000;
  const pending = new Set<Promise<void>>();
  const begin = (work: Promise<void>): void => {
    pending.add(work);
    void work.finally(() => pending.delete(work));
  };
  for (let step = 0; simulation.clock.monotonicMs() < endMs; step += 1) {
    // Now and then more than there is room for, so that a queue is there when things break.
    const burst = simulation.random.fraction() < BURST_CHANCE ? BURST : 0;
    const single = simulation.random.fraction() < 0.15 ? 1 : 0;
    for (let count = burst + single; count > 0; count -= 1) begin(model.submit());
    if (simulation.random.fraction() < 0.02) begin(model.submitAgain());
    if (simulation.random.fraction() < 0.02) begin(model.stopOne());
    if (simulation.random.fraction() < 0.03) begin(model.finishOne());
    if (simulation.random.fraction() < 0.02) begin(config.update());
    if (simulation.random.fraction() < 0.005) await faults.strike();
    await simulation.clock.advance(STEP_MS);
    model.check();
    if (step % 200 === 0) begin(model.checkEvents());
  }
  for (let step = 0; step < QUIET_MS / STEP_MS; step += 1) {
    begin(model.finishOne());
    await simulation.clock.advance(STEP_MS);
    if (step % 20 === 0) model.check();
  }
  begin(model.checkEvents());
  begin(config.check());
  await simulation.clock.advance(STEP_MS);
  model.check();
  await model.checkQuiet();
  await model.checkReplay();
  return {
    seed,
    simulatedHours: hours,
    steps: simulation.frames,
    workloads: model.acknowledged,
    refused: model.refused,
    faults: faults.counts,
    traceHash: simulation.traceHash(),
    violations: model.violations,
  };
}
