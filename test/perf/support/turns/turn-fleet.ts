// A fleet in this process, on SQLite and the real clock, whose work is driven by hand: no agents.
import { DEFAULT_FLEET_OPTIONS, Fleet, fleetSchema, type WorkloadRecord } from '@clawbernetes/fleet';
import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { workloadSpecSchema, type WorkloadSpecInput } from '@clawbernetes/protocol';
import { openSqliteStore } from '@clawbernetes/storage';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { joinBenchNode } from '../bench-node.ts';
import { LoopWatch } from './loop-watch.ts';

/** Of nodes and workloads that are made in one turn while a scene is set. */
const BATCH = 500;
const FOREVER_MS = 1e9;
/** So long nothing happens before what was asked for counts as done, and so long it may take, ms. */
const CALM = { forMs: 100, atMostMs: 700 } as const;

export class TurnFleet implements AsyncDisposable {
  readonly fleet: Fleet;
  readonly watch = new LoopWatch();
  readonly #store: AsyncDisposable;
  readonly #folder: string;

  private constructor(fleet: Fleet, store: AsyncDisposable, folder: string) {
    this.fleet = fleet;
    this.#store = store;
    this.#folder = folder;
  }

  /** Nothing falls silent, and nothing is protected by how long it has run. */
  static async open(nodes: number): Promise<TurnFleet> {
    const folder = await mkdtemp(path.join(tmpdir(), 'claw-turns-'));
    const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const store = await openSqliteStore(base, {
      path: path.join(folder, 'fleet.sqlite'),
      schema: fleetSchema,
    });
    const listeners = { order: () => undefined, ended: () => undefined, removed: () => undefined };
    const guards = { minRuntimeMs: 0, coolDownMs: 0, maxPreemptions: 100 };
    const fleet = await Fleet.open(
      { ...base, store, listeners },
      {
        ...{ suspectAfterMs: FOREVER_MS, leaseMs: FOREVER_MS, lostAfterMs: FOREVER_MS },
        ...{ maxUnstoredRows: 1_000_000, queues: { ...DEFAULT_FLEET_OPTIONS.queues, guards } },
      },
    );
    const opened = new TurnFleet(fleet, store, folder);
    for (let index = 0; index < nodes; index += 1) {
      joinBenchNode(fleet, index, { zone: `z${index % 4}`, rack: `r${index % 8}` });
      if (index % BATCH === BATCH - 1) await fleet.durable();
    }
    await fleet.durable();
    return opened;
  }

  submit(spec: Partial<WorkloadSpecInput>): WorkloadRecord {
    const parsed = workloadSpecSchema.parse({ command: ['true'], ...spec });
    return this.fleet.intake.submit({ namespace: 'default', spec: parsed });
  }

  /** One after the other, until all were looked at. */
  async submitAll(count: number, specOf: (index: number) => Partial<WorkloadSpecInput>): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      this.submit(specOf(index));
      if (index % BATCH === BATCH - 1) await this.fleet.durable();
    }
    await this.watch.calm(CALM.forMs, CALM.atMostMs);
  }

  /** Ends the first thing that runs on the node. */
  end(nodeId: string): void {
    const [attempt] = this.fleet.liveAttempts(nodeId);
    if (!attempt) throw new Error(`nothing runs on ${nodeId}`);
    const { id: attemptId, epoch } = attempt;
    this.fleet.reports.report(nodeId, [
      {
        ...{ attemptId, epoch, acceptedAtMs: 1, sandbox: 'none', limitations: [], logEnd: 0 },
        ...{ state: 'exited', exitCode: 0, revision: attempt.revision + 1 },
      },
    ]);
  }

  /** The longest slice from `act` until nothing more happens, ms. */
  async longestSliceMs(act: () => void): Promise<number> {
    await this.watch.calm(CALM.forMs, CALM.atMostMs);
    this.watch.take();
    setImmediate(act);
    await this.watch.calm(CALM.forMs, CALM.atMostMs);
    return this.watch.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watch[Symbol.dispose]();
    await this.fleet[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
