import type { NodeView } from '@clawbernetes/protocol';
import type { FleetLook } from './fleet-look.ts';
import type { Simulation } from './simulation.ts';
import type { VirtualMachine } from './virtual-machine.ts';

/** Until work is told to leave a node where it must not be: a tick of 1 s, and the store; ms. */
const LEAVE_MS = 10_000;
/** Until an empty node that drains is drained, ms. */
const EMPTIED_MS = 5000;
/** Until a node that is heard of has answered an order to start, however many of them get lost; ms. */
const ANSWERED_MS = 100_000;

/**
 * What is due is done: offers are answered; and unless all is frozen, work leaves where it must not be, and
 * drains end.
 */
export class ClearanceModel {
  readonly #simulation: Simulation;
  /** Deadlines of drains on the monotonic clock, from when this gateway was first seen with them; ms. */
  readonly #deadlines = new Map<string, { readonly of: string; readonly atMs: number }>();
  /** Since when something has been due; monotonic ms. */
  #due = new Map<string, number>();
  #isDraining = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Whether nothing becomes due by time alone. */
  get isAtRest(): boolean {
    return this.#due.size === 0 && !this.#isDraining;
  }

  check(look: FleetLook): void {
    const before = this.#due;
    this.#due = new Map();
    this.#isDraining = look.nodes.some(({ eligibility }) => eligibility === 'draining');
    for (const record of look.nodes) {
      if (this.#isEmpty(look, record)) continue;
      const node = look.view(record);
      if (node.connectivity !== 'connected') continue;
      this.#checkOffers(look, node, before);
      this.#checkUnwanted(look, node, before);
      if (!look.fleet.freeze) this.#checkNode(look, node, before);
    }
  }

  /** Then nothing is due on it. */
  #isEmpty(look: FleetLook, { id, name, eligibility }: FleetLook['nodes'][number]): boolean {
    const { size = 0 } = this.#machine(name)?.supervisor ?? {};
    return look.live(id).length === 0 && size === 0 && eligibility !== 'draining';
  }

  #machine(name: string): VirtualMachine | undefined {
    return this.#simulation.machines.find((one) => one.name === name);
  }

  #checkOffers(look: FleetLook, node: NodeView, before: ReadonlyMap<string, number>): void {
    for (const { id, revision, state, workloadId } of look.live(node.id)) {
      if (revision === 0) this.#isDue(before, `${id} is not started on ${node.name}`, ANSWERED_MS);
      if (state !== 'stopping' && look.fleet.findWorkload(workloadId)?.stopRequested)
        this.#isDue(before, `${id} is not stopped on ${node.name}`, ANSWERED_MS);
    }
  }

  /** What was given up by force while its node was away is stopped there. */
  #checkUnwanted(look: FleetLook, { id: nodeId, name }: NodeView, before: ReadonlyMap<string, number>): void {
    const held = look.held(nodeId);
    for (const id of this.#machine(name)?.supervisor.liveAttempts() ?? [])
      if (!held.has(id)) this.#isDue(before, `${id} still runs on ${name}, against our will`, ANSWERED_MS);
  }

  #checkNode(look: FleetLook, node: NodeView, before: ReadonlyMap<string, number>): void {
    const live = look.live(node.id);
    const staying = live.filter(({ evicted }) => !evicted);
    const wholes = new Set(node.gpus.filter(isBroken).map(({ id }) => id));
    const parts = node.gpus.filter(({ parentId }) => parentId !== undefined && wholes.has(parentId));
    const broken = new Set([...wholes, ...parts.map(({ id }) => id)]);
    const known = new Set(node.gpus.map(({ id }) => id));
    // An instance that somebody destroyed is missing as long as work holds it.
    const mustLeave = (gpu: string): boolean => broken.has(gpu) || (gpu.includes('-mig-') && !known.has(gpu));
    const isExpelled = node.taints.some(({ effect }) => effect === 'no-execute');
    for (const { id, devices } of staying)
      if (isExpelled || devices.some(mustLeave))
        this.#isDue(before, `${id} has to leave ${node.name} and is not told so`, LEAVE_MS);
    if (node.eligibility !== 'draining') return;
    if (live.length === 0) this.#isDue(before, `${node.name} is empty and is not drained`, EMPTIED_MS);
    // So many may move at once: the others wait for their ends.
    const moves = live.length - staying.length < (node.drain?.maxParallel ?? Infinity);
    if (this.#isOver(node) && staying.length > 0 && moves)
      this.#isDue(before, `${node.name} is not emptied after the deadline of its drain`, LEAVE_MS);
  }

  /** A clock that is set moves no deadline that the gateway knows already. */
  #isOver({ id, drain }: NodeView): boolean {
    if (drain?.deadlineAtMs === undefined) return false;
    const { clock, gatewaySinceMs } = this.#simulation;
    const of = `${drain.deadlineAtMs} ${gatewaySinceMs}`;
    const known = this.#deadlines.get(id);
    const atMs =
      known?.of === of ? known.atMs : clock.monotonicMs() + Math.max(0, drain.deadlineAtMs - clock.nowMs());
    this.#deadlines.set(id, { of, atMs });
    return clock.monotonicMs() > atMs;
  }

  #isDue(before: ReadonlyMap<string, number>, what: string, withinMs: number): void {
    const nowMs = this.#simulation.clock.monotonicMs();
    const sinceMs = Math.max(before.get(what) ?? nowMs, this.#simulation.gatewaySinceMs);
    this.#due.set(what, sinceMs);
    if (nowMs - sinceMs > withinMs) this.#simulation.violate(`${what} for ${nowMs - sinceMs} ms`);
  }
}

/** Where work cannot come to a good end: the fault is certain. */
function isBroken({ condition }: NodeView['gpus'][number]): boolean {
  if (condition?.state !== 'quarantined' && condition?.state !== 'missing') return false;
  return condition.kind === 'xid' || condition.kind === 'missing';
}
