import { DEFAULT_RESERVATION, type NodeView, type WorkloadView } from '@clawbernetes/protocol';
import { ClearanceModel } from './clearance-model.ts';
import type { FleetLook } from './fleet-look.ts';
import { PolicyModel } from './policy-model.ts';
import { SilenceModel } from './silence-model.ts';
import type { Simulation } from './simulation.ts';

type Resources = WorkloadView['spec']['resources'];

/** Thousandths of a GPU. */
const WHOLE = 1000;

/**
 * A node that has shown what it runs takes work at once; one that has yet to is waited for at most so long,
 * ms.
 */
const WAKE_UP_MS = { settled: 500, unsettled: 60_000 } as const;
/** Who waits is told why within so long, ms. */
const EXPLAINED_MS = 2000;
/** As long as much changes, reasons are looked at this rarely, being worked out anew for each; ms. */
const REASONS_EVERY_MS = 2000;

interface Fitting {
  readonly settledMs: number;
  readonly anyMs: number;
}

/** Compares the fleet with the machines themselves, and what it says of waiting work with brute force. */
export class FleetModel {
  readonly #simulation: Simulation;
  readonly #violate: (what: string) => void;
  readonly #clearance: ClearanceModel;
  readonly #policies: PolicyModel;
  readonly #silence: SilenceModel;
  readonly #mayKeep: (nodeId: string) => boolean;
  /** Since when waiting workloads would have fitted; monotonic ms. */
  #fitting = new Map<string, Fitting>();
  /** Since when somebody has waited without a reason; monotonic ms. */
  #unexplained = new Map<string, number>();
  /** Somebody waits though there is room, which may be kept for others for a while. */
  #isRoomKept = false;
  /** When reasons were looked at last, monotonic ms; and whether anything has changed since. */
  #reasonsAtMs = -Infinity;
  #isUnread = false;

  /** @param mayKeep whether a place may be kept for somebody on this node. */
  constructor(simulation: Simulation, mayKeep: (nodeId: string) => boolean) {
    this.#simulation = simulation;
    this.#mayKeep = mayKeep;
    this.#violate = simulation.violate;
    this.#clearance = new ClearanceModel(simulation);
    this.#policies = new PolicyModel(simulation);
    this.#silence = new SilenceModel(simulation);
  }

  /**
   * @param look undefined while there is no gateway.
   * @param live workloads that have not ended.
   */
  check(look: FleetLook | undefined, live: Iterable<string>): void {
    if (look && !look.isFresh && this.#isAtRest) return this.#silence.check(look);
    this.#checkDevices();
    this.#policies.checkExclusive();
    if (!look) return;
    this.#checkAccounting(look);
    this.#checkHeld(look);
    this.#silence.check(look);
    this.#clearance.check(look);
    this.#checkWaiting(look, live);
  }

  /** As long as nothing changes, time alone makes nothing wrong but the silence of nodes. */
  get #isAtRest(): boolean {
    const waits = this.#fitting.size > 0 || this.#unexplained.size > 0 || this.#isRoomKept;
    return !waits && !this.#isUnread && this.#clearance.isAtRest && this.#policies.isAtRest;
  }

  #checkDevices(): void {
    for (const { name, supervisor } of this.#simulation.machines) {
      for (const [id, milli] of supervisor.milliInUse())
        if (milli > WHOLE) this.#violate(`${milli} thousandths of ${id} of ${name} are in live attempts`);
    }
  }

  #checkAccounting(look: FleetLook): void {
    for (const node of look.nodes) {
      const given = new Map<string, number>();
      for (const { devices, gpuMilli = WHOLE } of look.live(node.id))
        for (const id of devices) given.set(id, (given.get(id) ?? 0) + gpuMilli);
      for (const [id, milli] of given)
        if (milli > WHOLE) this.#violate(`the fleet gave ${milli} thousandths of ${id} of ${node.name}`);
    }
  }

  /** What runs on a machine is held by the fleet, unless a person gave it up. */
  #checkHeld(look: FleetLook): void {
    const { rows, machines } = this.#simulation;
    for (const { name, supervisor } of machines) {
      const held = look.held(look.fleet.node(name).id);
      for (const id of supervisor.liveAttempts())
        if (!held.has(id) && !rows.overridden.has(id))
          this.#violate(
            `${id} runs on ${name}, but the fleet has released it: ${look.fleet.attempt(id)?.state}`,
          );
    }
  }

  /** Nobody waits while there is room, for longer than one look; and whoever waits is told why, rightly. */
  #checkWaiting(look: FleetLook, live: Iterable<string>): void {
    const { fleet } = look;
    const settled = new Map<string, boolean>();
    const isSettled = (node: NodeView): boolean => {
      const known = settled.get(node.id) ?? this.#isSettled(look, node);
      settled.set(node.id, known);
      return known;
    };
    const before = this.#fitting;
    this.#fitting = new Map();
    this.#isRoomKept = false;
    const readsReasons = this.#readsReasons(look);
    const unexplained = new Map<string, number>();
    const delayed = this.#policies.look();
    const nodes = look.views();
    const alike = new Map<string, readonly NodeView[]>();
    for (const id of live) {
      const workload = fleet.findWorkload(id);
      if (workload?.state !== 'queued' || this.#policies.isDelayed(fleet, id, delayed)) continue;
      const { resources } = workload.spec;
      const places = PolicyModel.placesFor(fleet, id, nodes);
      const key = places === nodes ? keyOf(resources) : id;
      const fitting = alike.get(key) ?? places.filter((node) => fits(node, resources));
      alike.set(key, fitting);
      const open = fitting.filter((node) => !this.#mayKeep(node.id));
      if (open.length > 0) {
        this.#fits(id, open.some(isSettled), before);
      } else if (fitting.length > 0) {
        this.#isRoomKept = true;
      } else if (readsReasons) {
        const told = fleet.workloadView(workload).waiting;
        if (told) this.#checkReason(id, told.reason, reasonsOf({ nodes, places, isSettled }, resources));
        else unexplained.set(id, this.#unexplained.get(id) ?? this.#simulation.clock.monotonicMs());
      }
    }
    if (!readsReasons) return;
    this.#unexplained = unexplained;
    this.#checkExplained();
  }

  /** Of everything that lasts for a while. */
  #readsReasons({ isFresh }: FleetLook): boolean {
    const nowMs = this.#simulation.clock.monotonicMs();
    const isDue = !isFresh || nowMs - this.#reasonsAtMs >= REASONS_EVERY_MS;
    this.#isUnread = !isDue;
    if (isDue) this.#reasonsAtMs = nowMs;
    return isDue;
  }

  #checkExplained(): void {
    const nowMs = this.#simulation.clock.monotonicMs();
    const { gatewaySinceMs } = this.#simulation;
    for (const [id, sinceMs] of this.#unexplained)
      if (nowMs - Math.max(sinceMs, gatewaySinceMs) >= EXPLAINED_MS)
        this.#violate(`${id} waits and nobody says why`);
  }

  #fits(id: string, settled: boolean, before: ReadonlyMap<string, Fitting>): void {
    const nowMs = this.#simulation.clock.monotonicMs();
    const since = before.get(id);
    const settledMs = settled ? (since?.settledMs ?? nowMs) : Infinity;
    const anyMs = since?.anyMs ?? nowMs;
    this.#fitting.set(id, { settledMs, anyMs });
    if (nowMs - settledMs >= WAKE_UP_MS.settled || nowMs - anyMs >= WAKE_UP_MS.unsettled)
      this.#violate(`${id} waits although there has been room for it for ${Math.max(nowMs - anyMs, 0)} ms`);
  }

  /** It has shown over its present connection that it runs nothing that it should not. */
  #isSettled(look: FleetLook, { id, name }: NodeView): boolean {
    const machine = this.#simulation.machines.find((one) => one.name === name);
    const held = look.held(id);
    return (
      this.#simulation.rows.isReconciled(id) &&
      (machine?.supervisor.liveAttempts() ?? []).every((one) => held.has(one))
    );
  }

  #checkReason(id: string, told: string, found: readonly string[]): void {
    if (!found.includes(told))
      this.#violate(`${id} is said to wait because of ${told}; it waits because of ${found.join(' or ')}`);
  }
}

/** What a view says, by brute force and without the scheduler. */
function fits(node: NodeView, resources: Resources): boolean {
  const { free } = node;
  const gpus = node.gpus.filter((gpu) => isFree(gpu, resources)).length;
  const cpuMilli = resources.cpuMilli ?? DEFAULT_RESERVATION.cpuMilli;
  const memoryMib = resources.memoryMib ?? DEFAULT_RESERVATION.memoryMib;
  return (
    mayTake(node) && gpus >= gpusAsked(resources) && free.cpuMilli >= cpuMilli && free.memoryMib >= memoryMib
  );
}

/** Of a GPU that is shared so much has to be left. */
function isFree(gpu: NodeView['gpus'][number], resources: Resources): boolean {
  const { gpuMilli } = resources;
  if (!isOfKind(gpu, resources)) return false;
  if (gpu.state === 'free' || gpuMilli === undefined) return gpu.state === 'free';
  return gpu.condition === undefined && gpu.state !== 'cleaning' && (gpu.freeMilli ?? 0) >= gpuMilli;
}

/** An instance of the profile that is asked for; else a GPU that is not cut up. */
function isOfKind(gpu: NodeView['gpus'][number], { migProfile }: Resources): boolean {
  return gpu.migProfile === migProfile && gpu.migEnabled !== true;
}

/** The same for all that fits alike. */
function keyOf({ gpus, gpuMilli, migProfile, cpuMilli, memoryMib }: Resources): string {
  return `${gpus} ${gpuMilli} ${migProfile} ${cpuMilli} ${memoryMib}`;
}

function gpusAsked({ gpus, gpuMilli }: Resources): number {
  return gpuMilli === undefined ? gpus : 1;
}

function mayTake(node: NodeView): boolean {
  return isReady(node) && couldTake(node);
}

function couldTake({ approved, eligibility, taints }: NodeView): boolean {
  return (
    approved && eligibility !== 'retired' && taints.every(({ effect }) => effect === 'prefer-no-schedule')
  );
}

function isReady({ connectivity, eligibility }: NodeView): boolean {
  return connectivity === 'connected' && eligibility === 'schedulable';
}

interface NodesByUse {
  readonly nodes: readonly NodeView[];
  /** Of them, those where the workload may begin. */
  readonly places: readonly NodeView[];
  readonly isSettled: (node: NodeView) => boolean;
}

/** Why it waits; a node that is connected and not settled may count as ready or not. */
function reasonsOf({ nodes, places, isSettled }: NodesByUse, resources: Resources): readonly string[] {
  const members = nodes.filter(({ approved, eligibility }) => approved && eligibility !== 'retired');
  if (members.length === 0) return ['no-nodes'];
  const able = members.filter(
    (node) =>
      places.includes(node) &&
      couldTake(node) &&
      node.gpus.filter((gpu) => !gpu.condition && isOfKind(gpu, resources)).length >= gpusAsked(resources),
  );
  if (able.length === 0) return ['never-fits'];
  const ready = able.filter(isReady);
  if (ready.length === 0) return ['no-nodes'];
  return ready.some(isSettled) ? ['waiting-for-capacity'] : ['waiting-for-capacity', 'no-nodes'];
}
