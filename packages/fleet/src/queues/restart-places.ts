import { present } from '@clawbernetes/kernel';
import type { FleetCore } from '../fleet-core.ts';
import type { AttemptRecord, WorkloadRecord } from '../records.ts';
import { isGang, memberOf, type ShapeOfGang } from '../scheduler/gang/member-shape.ts';
import type { MemberTrace, Placement } from '../scheduler/placement.ts';
import { amountsHeld } from '../scheduler/queues/asked-amounts.ts';
import { shapeOf } from '../scheduler/resources.ts';
import { FLEET, levelName } from '../scheduler/topology/topology-tree.ts';
import { isLostMember } from '../workload/gang/judge-gang.ts';
import { wantsItsPlaces } from '../workload/gang/own-places.ts';
import { goAnywhere } from '../workload/policy/release-bound.ts';
import { startOfGang } from './held-gang.ts';
import type { PlaceHold, PlaceHolds } from './place-holds.ts';

/**
 * Keeps the places of gangs that restart: while their members are being stopped, and from `holdMs` before
 * their delay is over until as long after it. Then each rank begins where it was, or all go anywhere.
 */
export class RestartPlaces {
  readonly #core: FleetCore;
  readonly #holds: PlaceHolds;
  /** By gang: whether the places are kept since its members have ended. */
  readonly #kept = new Map<string, boolean>();

  constructor(core: FleetCore, holds: PlaceHolds) {
    this.#core = core;
    this.#holds = holds;
  }

  /** Whether time alone may bring about anything. */
  get isKeeping(): boolean {
    return this.#core.workloads.restarting().size > 0;
  }

  /** Keeps and gives up places as the gangs are now: in every turn, before anything is placed. */
  follow(): void {
    const wanted = this.#core.workloads.restarting();
    if (wanted.size === 0 && this.#kept.size === 0) return;
    for (const id of this.#kept.keys()) if (!wanted.has(id)) this.release(id);
    for (const id of wanted) this.#keep(present(this.#core.workloads.workload(id), 'a gang that restarts'));
  }

  /** Who has waited long enough for his own places goes anywhere; answers whether somebody does. */
  dropOld(): boolean {
    const nowMs = this.#core.clock.monotonicMs();
    let any = false;
    for (const [id, isWaiting] of [...this.#kept]) {
      const untilMs = this.#holds.of(id)?.untilMs ?? -Infinity;
      const workload = this.#core.workloads.workload(id);
      if (!isWaiting || !workload || !wantsItsPlaces(workload) || nowMs < untilMs) continue;
      this.release(id);
      goAnywhere(this.#core, workload, 'not all of its places are free there');
      any = true;
    }
    return any;
  }

  /** The members of one whose places are free; undefined before its delay is over. */
  startOf(workloadId: string, kept: readonly PlaceHold[]): readonly Placement[] | undefined {
    const { workloads, delayed } = this.#core;
    const workload = workloads.workload(workloadId);
    if (!workload || !wantsItsPlaces(workload) || delayed.leftMs(workloadId) !== undefined) return undefined;
    return startOfGang(this.#core, this.#holds, kept);
  }

  /** What all its members ask for together. */
  shapeOf(workloadId: string, members: number): ShapeOfGang | undefined {
    const workload = this.#core.workloads.workload(workloadId);
    const shape = workload && shapeOf(workload.spec, workload.nodeId);
    if (!shape || !isGang(shape)) return undefined;
    return { ...shape, gang: { ...shape.gang, members: { min: members, max: members } } };
  }

  release(workloadId: string): void {
    this.#kept.delete(workloadId);
    if (this.#holds.of(workloadId)?.kind === 'restart') this.#holds.release(workloadId);
  }

  #keep(workload: WorkloadRecord): void {
    const core = this.#core;
    const leftMs = core.delayed.leftMs(workload.id) ?? 0;
    const { holdMs } = core.options.queues;
    const isWaiting = wantsItsPlaces(workload);
    const members = core.workloads.members(workload.id);
    // Places that would stay empty for long, or for one that cannot have them all, are others' meanwhile.
    const isInVain = !isWaiting && members.some(isLostMember);
    if (leftMs > holdMs || isInVain) return this.release(workload.id);
    if (this.#kept.get(workload.id) === isWaiting) return;
    this.#kept.set(workload.id, isWaiting);
    const nodes = members.flatMap(({ nodeId }) => core.nodes.node(nodeId) ?? []);
    // Where a node has left the fleet there is nothing to wait for.
    const waitMs = nodes.length < members.length ? 0 : leftMs + holdMs;
    const untilMs = isWaiting ? core.clock.monotonicMs() + waitMs : Infinity;
    const kept = members.flatMap((member) => this.#holdOf(workload, member, untilMs) ?? []);
    this.#holds.keep(...kept);
    for (const { nodeId } of kept) core.nodes.touch(nodeId);
  }

  #holdOf(
    { id: workloadId, spec, nodeId: boundTo, gang }: WorkloadRecord,
    { id, nodeId, devices, rank = 0 }: AttemptRecord,
    untilMs: number,
  ): PlaceHold | undefined {
    const { nodes, queues, workloads, clock } = this.#core;
    const node = nodes.node(nodeId);
    if (!node) return undefined;
    const shape = memberOf(shapeOf(spec, boundTo));
    const gpus = nodes.view(node).gpus.filter((gpu) => devices.includes(gpu.id));
    const placed = {
      ...{ rank, level: gang?.level ?? levelName(FLEET) },
      members: workloads.members(workloadId).length,
    };
    const trace: MemberTrace = {
      ...placed,
      ...{ nodes: nodes.size, candidates: placed.members, place: node.name },
    };
    return {
      ...{ workloadId, kind: 'restart', queue: queues.regime.queueOf(spec), nodeId, shape, devices },
      amounts: amountsHeld(shape, gpus, queues.regime.classes),
      member: { ...placed, trace },
      ...{ awaits: [id], startMs: clock.nowMs(), untilMs },
    };
  }
}
