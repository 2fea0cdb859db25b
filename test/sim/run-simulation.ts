import { Faults, type Fault } from './faults.ts';
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
/** After the last fault: time for all work to end and all differences to be repaired. */
const QUIET_MS = 600_000;

/**
 * Runs the whole system for so many virtual hours and reports what it saw; the same seed gives the same
 * trace.
 */
export async function runSimulation(seed: number, hours: number): Promise<SimulationReport> {
  const simulation = await Simulation.open(seed, NODES);
  const faults = new Faults(simulation);
  const model = new WorkloadModel(simulation);
  const endMs = simulation.clock.monotonicMs() + hours * 3_600_000;
  const pending = new Set<Promise<void>>();
  const begin = (work: Promise<void>): void => {
    pending.add(work);
    void work.finally(() => pending.delete(work));
  };
  for (let step = 0; simulation.clock.monotonicMs() < endMs; step += 1) {
    if (simulation.random.fraction() < 0.15) begin(model.submit());
    if (simulation.random.fraction() < 0.01) begin(model.stopOne());
    if (simulation.random.fraction() < 0.005) await faults.strike();
    await simulation.clock.advance(STEP_MS);
    model.check();
    if (step % 200 === 0) begin(model.checkEvents());
  }
  await simulation.clock.advance(QUIET_MS);
  begin(model.checkEvents());
  await simulation.clock.advance(STEP_MS);
  model.check();
  await model.checkQuiet();
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
