import { seededRandom } from '@clawbernetes/kernel';
import { ConfigModel } from './config-model.ts';
import type { Fault, FaultPlan } from './fault-plan.ts';
import { Faults } from './faults.ts';
import { FleetLook } from './fleet-look.ts';
import { FleetModel } from './fleet-model.ts';
import { GangModel } from './gang-model.ts';
import { QueueModel } from './queue-model.ts';
import { ReservationModel } from './reservation-model.ts';
import { Simulation } from './simulation.ts';
import type { TransitionCounts } from './transitions.ts';
import { WorkloadModel } from './workload-model.ts';

export interface SimulationReport {
  readonly seed: number;
  readonly nodes: number;
  readonly pace: number;
  readonly simulatedHours: number;
  /** Frames that arrived. */
  readonly steps: number;
  readonly workloads: number;
  readonly refused: number;
  readonly faults: Readonly<Record<Fault, number>>;
  readonly transitions: TransitionCounts;
  readonly traceHash: string;
  readonly violations: readonly string[];
  /** What led to the first violation. */
  readonly story: readonly string[];
}

export interface SimulationOptions {
  /** Ends with the step that shows a violation. */
  readonly stopAtFirst?: boolean;
  /** Frames after which no more faults come. */
  readonly maxSteps?: number;
}

const STEP_MS = 500;
/** Workloads without an end that there may be while faults strike. */
const ENDLESS = 4;
const HOUR_MS = 3_600_000;
/** Workloads that come at once, now and then: more than there is room for. */
const BURST = 60;
const SUBMIT_CHANCE = 0.15;
/** Keeps the work apart from what else follows from the seed. */
const WORK_SALT = 0x30b5;
const GANG_SALT = 0x6a46;
const GANG_POLICY_SALT = 0x51c3;
const GANG_LEVEL_SALT = 0x71b9;
const QUEUE_SALT = 0x9e17;
const RESERVATION_SALT = 0x5ca1;
/** After the last fault: time for all work to end and all differences to be repaired. */
const QUIET_MS = 1_500_000;
/** Until then everything that was taken out is put back, ms. */
const RESTORED_MS = 300_000;
/** The longest that something may be out once no more faults come, ms. */
const MAX_OUT_MS = 1_200_000;

/**
 * Runs the whole system under the faults of the plan and reports what it saw; the same plan gives the same
 * trace.
 */
export async function runSimulation(
  plan: FaultPlan,
  options: SimulationOptions = {},
): Promise<SimulationReport> {
  const run = await Run.open(plan, options);
  await run.live();
  await run.recover();
  await run.quieten();
  return run.report();
}

class Run {
  readonly #plan: FaultPlan;
  readonly #options: SimulationOptions;
  readonly #simulation: Simulation;
  readonly #work: WorkloadModel;
  readonly #fleet: FleetModel;
  readonly #gangs: GangModel;
  readonly #gangChance;
  readonly #queues: QueueModel;
  readonly #queueChance;
  readonly #reservations: ReservationModel;
  readonly #reservationChance;
  readonly #config: ConfigModel;
  readonly #faults: Faults;
  readonly #random;
  readonly #startMs: number;
  /** Of the simulation, when it was looked at last. */
  #changes = -1;
  #livedMs = 0;

  private constructor(plan: FaultPlan, options: SimulationOptions, simulation: Simulation) {
    this.#plan = plan;
    this.#options = options;
    this.#simulation = simulation;
    this.#random = seededRandom(plan.seed ^ WORK_SALT);
    this.#work = new WorkloadModel(simulation, this.#random);
    const gangRandom = seededRandom(plan.seed ^ GANG_SALT);
    this.#gangs = new GangModel(simulation, {
      random: gangRandom,
      policyRandom: seededRandom(plan.seed ^ GANG_POLICY_SALT),
      levelRandom: seededRandom(plan.seed ^ GANG_LEVEL_SALT),
    });
    this.#gangChance = (of: number): boolean => gangRandom.fraction() < of;
    const queueRandom = seededRandom(plan.seed ^ QUEUE_SALT);
    this.#queues = new QueueModel(simulation, queueRandom);
    this.#queueChance = (of: number): boolean => queueRandom.fraction() < of;
    const calendarRandom = seededRandom(plan.seed ^ RESERVATION_SALT);
    this.#reservations = new ReservationModel(simulation, calendarRandom);
    this.#reservationChance = (of: number): boolean => calendarRandom.fraction() < of;
    this.#fleet = new FleetModel(simulation, (nodeId) =>
      [this.#queues, this.#gangs, this.#reservations].some((model) => model.mayKeep(nodeId)),
    );
    this.#config = new ConfigModel(simulation, simulation.violate);
    this.#faults = new Faults(simulation, {
      supervisorCrashed: () => this.#work.supervisorCrashed(),
      mayBeStopped: (machine) => {
        this.#work.mayBeStopped(machine);
        this.#gangs.mayBeStopped(machine);
      },
      submitBurst: () => this.#submit(BURST),
      forceStop: (random) => void this.#work.forceStop(random),
      machineOfEndless: () => this.#work.machineOfEndless(),
      editConfig: () => void this.#config.update(),
      editQuota: () => void this.#queues.edit(),
    });
    this.#startMs = simulation.clock.monotonicMs();
  }

  static async open(plan: FaultPlan, options: SimulationOptions): Promise<Run> {
    return new Run(plan, options, await Simulation.open(plan.seed, plan.nodes));
  }

  get #isOver(): boolean {
    return this.#options.stopAtFirst === true && this.#simulation.violations.length > 0;
  }

  /** All hours of the plan. */
  async live(): Promise<void> {
    const due = [...this.#plan.faults];
    const { clock } = this.#simulation;
    const { maxSteps = Infinity } = this.#options;
    const goesOn = (): boolean =>
      this.#sinceMs < this.#plan.hours * HOUR_MS && this.#simulation.frames < maxSteps && !this.#isOver;
    for (let step = 0; goesOn(); step += 1) {
      for (let fault = due[0]; fault && fault.atMs <= this.#sinceMs; fault = due[0]) {
        due.shift();
        this.#faults.strike(fault);
      }
      this.#requests();
      await clock.advance(STEP_MS);
      this.#check();
      if (step % 200 === 0) void this.#work.checkEvents();
    }
    this.#livedMs = this.#sinceMs;
  }

  /** No more faults: what is down, or cut off, comes back when its time is over. */
  async recover(): Promise<void> {
    this.#faults.disarm();
    const { clock } = this.#simulation;
    for (let passedMs = 0; this.#simulation.isDamaged && !this.#isOver; passedMs += STEP_MS) {
      if (passedMs >= MAX_OUT_MS) return this.#simulation.violate('what is down does not come back');
      await clock.advance(STEP_MS);
      this.#check();
    }
  }

  /** Everything ends, and everything is told. */
  async quieten(): Promise<void> {
    if (this.#isOver) return;
    this.#gangs.quieten();
    const { clock } = this.#simulation;
    for (let passedMs = 0; passedMs < QUIET_MS && !this.#isOver; passedMs += STEP_MS) {
      if (passedMs < RESTORED_MS && passedMs % 30_000 === 0) this.#faults.end();
      void this.#work.finishOne();
      void this.#gangs.finishOne();
      if (passedMs % 30_000 === 0) void this.#queues.release();
      if (passedMs % 30_000 === 0) void this.#reservations.release();
      void this.#queues.finishOne();
      if (passedMs % 5000 === 0) void this.#work.finishUnknown();
      await clock.advance(STEP_MS);
      if (passedMs % 5000 === 0) this.#check();
    }
    for (let page = 0; page < 20; page += 1) await this.#work.checkEvents();
    void this.#config.check();
    await clock.advance(STEP_MS);
    this.#check();
    this.#gangs.checkQuiet();
    this.#queues.checkQuiet();
    await this.#work.checkQuiet();
    this.#simulation.crashGateway(0);
    await clock.advance(1000);
    if (!this.#simulation.gateway) this.#simulation.violate('the gateway does not start again');
  }

  report(): SimulationReport {
    const { frames, transitions, violations, story } = this.#simulation;
    return {
      seed: this.#plan.seed,
      nodes: this.#plan.nodes,
      pace: this.#plan.pace,
      simulatedHours: Math.min(this.#plan.hours, this.#livedMs / HOUR_MS),
      steps: frames,
      workloads: this.#work.acknowledged,
      refused: this.#work.refused,
      faults: this.#faults.counts,
      transitions: transitions.counts,
      traceHash: this.#simulation.traceHash(),
      violations,
      story,
    };
  }

  get #sinceMs(): number {
    return this.#simulation.clock.monotonicMs() - this.#startMs;
  }

  #requests(): void {
    const { pace } = this.#plan;
    const chance = (of: number): boolean => this.#random.fraction() < of * pace;
    const gangs = (of: number): boolean => this.#gangChance(of * pace);
    const queues = (of: number): boolean => this.#queueChance(of * pace);
    if (chance(SUBMIT_CHANCE)) this.#submit(1);
    if (chance(0.03)) void this.#work.submitAndStop();
    if (chance(0.02)) void this.#work.submitAgain();
    if (chance(0.02)) void this.#work.stopOne();
    if (chance(0.03)) void this.#work.finishOne({ spare: ENDLESS });
    if (chance(0.01)) void this.#config.update();
    if (gangs(0.008)) void this.#gangs.submit();
    if (gangs(0.004)) void this.#gangs.finishOne();
    if (queues(0.02)) void this.#queues.submit();
    if (queues(0.01)) void this.#queues.edit();
    if (queues(0.01)) void this.#queues.finishOne();
    const reservations = (of: number): boolean => this.#reservationChance(of * pace);
    if (reservations(0.003)) void this.#reservations.create();
    if (reservations(0.0005)) void this.#reservations.deleteOne();
  }

  #submit(count: number): void {
    for (let left = count; left > 0; left -= 1) void this.#work.submit();
  }

  #check(): void {
    const { gateway, changes } = this.#simulation;
    const isFresh = this.#changes !== changes;
    this.#changes = changes;
    const look = gateway && new FleetLook(gateway.fleet, { isFresh });
    this.#queues.check(look);
    this.#reservations.check(look);
    this.#gangs.check({ isFresh });
    this.#fleet.check(look, this.#work.live);
    this.#work.check({ isFresh });
  }
}
