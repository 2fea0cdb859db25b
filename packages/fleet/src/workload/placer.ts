import { assert, newId, present } from '@clawbernetes/kernel';
import { commitAttempt, orderNode, type FleetCore } from '../fleet-core.ts';
import { QueuePlanner } from '../queues/queue-planner.ts';
import type { AttemptRecord, NodeRecord } from '../records.ts';
import { explainWait, type Explained, type Waiting } from '../scheduler/explain.ts';
import { milliOf } from '../scheduler/gpu-fit.ts';
import { explainGang } from '../scheduler/gang/explain-gang.ts';
import { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import { isGang, memberOf } from '../scheduler/gang/member-shape.ts';
import { NodeGroups } from '../scheduler/node-groups.ts';
import { RoomBound } from '../scheduler/room-bound.ts';
import { partsHeld, type Placement } from '../scheduler/placement.ts';
import type { Shape } from '../scheduler/resources.ts';
import { FleetPacking } from '../scheduler/score/fleet-packing.ts';
import type { SnapshotNode } from '../scheduler/snapshot.ts';
import { alikeFor, alikeNodes } from '../scheduler/why/alike.ts';
import { WorkBudget } from '../scheduler/work-budget.ts';
import { isProvenEnded } from './policy/next-step.ts';
import { reserveGang } from './gang/gang-placer.ts';
import { settleWorkload } from './settle-workload.ts';

/** Blocked shapes are retried so many at a time that each may take so many looks. */
const LOOKS_PER_RETRIED = 8;

/** Of so many nodes a turn works out what they have room for at most. */
const BOUNDED_PER_TURN = 1000;

/** Applies plans: the one serial place where work gets its node, after everything was checked again. */
export class Placer {
  readonly #core: FleetCore;
  /** Nodes that may take more than when the blocked shapes were tried; on others trying again cannot help. */
  readonly #changed = new Set<string>();
  /** Those of them that blocked shapes are retried on now, which may take several turns. */
  #retried: ReadonlySet<string> = new Set();
  /** What those have room for at most, and in how many turns more that is good enough. */
  #room: { readonly bound: RoomBound; readonly nodes: number; turnsLeft: number } | undefined;
  /** The plan ended because the turn was used up: it goes on in a turn of its own. */
  #isResting = false;
  /** By shape, as of `#explainedVersion` of the nodes. */
  readonly #explained = new Map<string, Waiting>();
  #explaining: FleetExplained | undefined;
  #explainedVersion = -1;
  readonly #packing = new FleetPacking();
  /** The fleet as of the last plan. */
  readonly #groups = new NodeGroups(this.#packing.groupKey);
  readonly #topology = new FleetTopology();
  readonly #queues: QueuePlanner;
  #placed = 0;
  /** Nodes as placements of this turn leave them, where places are kept for somebody. */
  readonly #left = new Map<string, SnapshotNode>();

  /** @param mayMove whether work may be taken off nodes at all now. */
  constructor(core: FleetCore, mayMove: () => boolean) {
    this.#core = core;
    const { packing } = this;
    const [groups, topology] = [this.#groups, this.#topology];
    const follow = (): void => this.#follow();
    this.#queues = new QueuePlanner({ core, packing, mayMove, groups, topology, follow });
  }

  /** What tells what a place costs; asking it changes nothing but what it remembers. */
  get packing(): FleetPacking {
    return this.#packing;
  }

  get queues(): QueuePlanner {
    return this.#queues;
  }

  /** Placements so far, each member of a gang counted. */
  get placed(): number {
    return this.#placed;
  }

  capacityChanged(nodeId: string): void {
    this.#changed.add(nodeId);
  }

  /**
   * Plans and applies once. Answers whether there is more to do, for which `resume` is called in a turn that
   * comes after what else waits for the event loop.
   */
  run(): boolean {
    const { pending, options } = this.#core;
    if (this.#isResting) return false;
    const limit = options.placementsPerTurn;
    this.#queues.begin();
    if (!pending.isTrying && this.#changed.size === 0) return this.#fill() || this.#goOnLooking();
    this.#follow();
    for (const placements of this.#queues.heldStarts()) this.#applyKept(placements);
    this.#follow();
    // What arrives often is kept room for, whether or not it gets any now.
    for (const shape of pending.takeArrivals())
      for (let members = shape.gang?.members.max ?? 1; members > 0; members -= 1)
        this.#packing.arrived(memberOf(shape));
    if (pending.hasOpen) this.#packing.refresh(this.#groups);
    const isLate = this.#retry();
    const work = new WorkBudget(options.looksPerTurn);
    const plan = this.#queues.plan(this.#retried, limit, work);
    pending.settle(plan);
    this.#applyAll(plan.placements);
    this.#fill();
    this.#queues.end();
    this.#isResting = work.isSpent;
    const isEnough = work.isSpent || plan.placements.length >= limit;
    return isEnough || isLate || pending.isRetrying || this.#queues.isLooking;
  }

  resume(): void {
    this.#isResting = false;
  }

  /** Nothing else is to be done: somebody may be looking for work that has to make room. */
  #goOnLooking(): boolean {
    if (!this.#queues.isLooking) return false;
    this.#follow();
    this.#queues.end();
    return this.#queues.isLooking;
  }

  /**
   * Has blocked shapes that may fit on nodes that have changed tried again, each of them once. Answers
   * whether more nodes have changed since that began: what had its turn is tried on them in the next round.
   */
  #retry(): boolean {
    const { pending, options } = this.#core;
    const isUnderWay = pending.isRetrying;
    this.#retried = isUnderWay ? this.#retried.union(this.#changed) : new Set(this.#changed);
    if (!isUnderWay) this.#changed.clear();
    if (this.#retried.size === 0) return false;
    const room = this.#roomOnRetried(isUnderWay);
    pending.retry(room, this.#retried, Math.ceil(options.looksPerTurn / LOOKS_PER_RETRIED));
    return this.#changed.size > 0;
  }

  /**
   * Of many nodes this is not worked out anew in every turn. One that gains room meanwhile counts in the next
   * round, where it is among those that have changed.
   */
  #roomOnRetried(isUnderWay: boolean): RoomBound {
    const known = this.#room;
    const isNew = !isUnderWay || known?.nodes !== this.#retried.size;
    if (known && !isNew && known.turnsLeft > 0) {
      known.turnsLeft -= 1;
      return known.bound;
    }
    const views = Array.from(this.#retried).flatMap((id) => this.#groups.node(id) ?? []);
    const turnsLeft = Math.floor(this.#retried.size / BOUNDED_PER_TURN);
    this.#room = { bound: new RoomBound(views), nodes: this.#retried.size, turnsLeft };
    return this.#room.bound;
  }

  /**
   * What time alone may have changed: who should make room for whom, and for whom a place is kept. Answers
   * whether something may be placed now.
   */
  tick(): boolean {
    const isReleased = this.#queues.dropOldRestarts();
    if (!this.#core.pending.hasBlocked && !this.#queues.mayRestart) return isReleased;
    this.#follow();
    this.#queues.end();
    return isReleased || this.#changed.size > 0 || this.#queues.mayFill || this.#queues.isLooking;
  }

  /** Lets what ends in time use places that are kept for later. */
  #fill(): false {
    if (!this.#queues.mayFill) return false;
    this.#follow();
    for (const placements of this.#queues.fillers()) this.#applyKept(placements);
    return false;
  }

  /** Where the nodes stand, as they are now. */
  topology(): FleetTopology {
    this.#follow();
    return this.#topology;
  }

  /** Takes account of the nodes that have changed. */
  #follow(): void {
    for (const { id, view } of this.#core.nodes.takeTouched()) {
      this.#left.delete(id);
      if (view) {
        const masked = this.#queues.masked(view);
        this.#groups.put(masked);
        this.#topology.put(masked);
      } else {
        this.#groups.remove(id);
        this.#topology.remove(id);
      }
    }
  }

  /** The members of a gang follow each other. */
  #applyAll(placements: readonly Placement[]): void {
    this.#placed += placements.length;
    for (let at = 0; at < placements.length;) {
      const placement = present(placements[at], 'a placement of the plan');
      const size = placement.member?.members ?? 1;
      if (placement.member) this.#applyGang(placements.slice(at, at + size));
      else this.#apply(placement);
      at += size;
    }
  }

  /** One that has its place already: the plan was made with it alone. */
  #applyKept(placements: readonly Placement[]): void {
    // Of several on one node the first one found it as it is.
    for (const { nodeId, before } of placements.toReversed()) this.#left.set(nodeId, before);
    this.#applyAll(placements);
  }

  /** The view that a plan of this turn was made with. */
  #expected(node: NodeRecord): SnapshotNode {
    const view = this.#core.nodes.view(node);
    const left = this.#left.get(node.id);
    if (left) return left;
    const planned = this.#groups.node(node.id);
    return planned?.isMasked ? planned : view;
  }

  #applyGang(placements: readonly Placement[]): void {
    const { nodes } = this.#core;
    const views = new Map<string, SnapshotNode>();
    for (const placement of placements) {
      const node = present(nodes.node(placement.nodeId), 'the node of a placement');
      checkPlacement(placement, views.get(node.id) ?? this.#expected(node));
      views.set(node.id, placement.after);
    }
    for (const [id, view] of views)
      if (view.isMasked) this.#left.set(id, view);
      else this.#left.delete(id);
    reserveGang(this.#core, placements);
  }

  /** Why a workload waits, as the nodes are now; undefined if it does not, or was not tried yet. */
  waiting(workloadId: string): Waiting | undefined {
    const { pending, nodes } = this.#core;
    const group = pending.blocked(workloadId);
    if (!group) return undefined;
    const stopped = this.#queues.waiting(workloadId);
    if (stopped) return stopped;
    if (this.#explainedVersion !== nodes.version) {
      this.#explained.clear();
      this.#explaining = undefined;
    }
    this.#explainedVersion = nodes.version;
    // What is kept for it nobody else sees as free.
    if (this.#queues.holdOf(workloadId)) return explain(this.#fleetFor(workloadId), group.shape);
    const known = this.#explained.get(group.key);
    if (known) return known;
    this.#explaining ??= this.#fleetFor(undefined);
    const waiting = explain(this.#explaining, group.shape);
    this.#explained.set(group.key, waiting);
    return waiting;
  }

  /** The fleet as one that waits sees it, or as those do for whom no place is kept. */
  #fleetFor(owner: string | undefined): FleetExplained {
    const { nodes } = this.#core;
    const views = nodes.snapshot().map((view) => this.#queues.masked(view, owner));
    return {
      alike: alikeNodes(views, this.#packing.groupKey),
      unapproved: nodes.unapproved(),
      topology: owner === undefined ? this.topology() : new FleetTopology(views),
    };
  }

  #apply(placement: Placement): void {
    const { workloadId, nodeId, devices, shape, trace } = placement;
    const { workloads, nodes, pending, clock, random } = this.#core;
    const workload = present(workloads.workload(workloadId), 'a placed workload');
    const node = present(nodes.node(nodeId), 'the node of a placement');
    checkPlacement(placement, this.#expected(node));
    if (placement.after.isMasked) this.#left.set(nodeId, placement.after);
    else this.#left.delete(nodeId);
    if (workload.spec.exclusive)
      assert(workloads.attemptsOf(workloadId).every(isProvenEnded), 'exclusive work runs nowhere else');
    pending.remove(workloadId);
    const attempt: AttemptRecord = {
      id: newId('at', clock, random),
      workloadId,
      namespace: workload.namespace,
      number: workload.attempts + 1,
      nodeId,
      devices,
      ...partsHeld(placement),
      cpuMilli: shape.cpuMilli,
      memoryMib: shape.memoryMib,
      epoch: this.#core.nextEpoch(),
      state: 'placed',
      revision: 0,
      limitations: [],
      placedAtMs: clock.nowMs(),
      logEnd: 0,
    };
    const why =
      `${workload.name} was placed on ${node.name}, where it costs others the least room, ` +
      `of ${trace.candidates} that have room.`;
    commitAttempt(this.#core, attempt, 'scheduler', why, { ...trace });
    nodes.placed(placement.after);
    const { anew: _, ...begun } = workload;
    settleWorkload(this.#core, { ...begun, attempts: attempt.number }, 'scheduler');
    orderNode(this.#core, nodeId, { kind: 'start', attempt, workload });
  }
}

interface FleetExplained extends Explained {
  readonly topology: FleetTopology;
}

function explain(fleet: FleetExplained, shape: Shape): Waiting {
  if (isGang(shape)) return explainGang(fleet, shape, fleet.topology);
  return explainWait({ ...fleet, alike: alikeFor(shape, fleet.alike) }, shape);
}

/** Nothing has changed since the plan was made: a node's view is another object after every change of it. */
function checkPlacement({ devices, before, shape }: Placement, view: SnapshotNode): void {
  assert(view === before, 'a placement is applied to the node that it was planned with');
  assert(view.schedulable, 'a placement goes to a node that takes work');
  const isRoom = view.free.cpuMilli >= shape.cpuMilli && view.free.memoryMib >= shape.memoryMib;
  assert(isRoom, 'a placement fits its node when it is applied');
  const milli = milliOf(shape);
  let free = 0;
  for (const gpu of view.gpus)
    if (gpu.freeMilli >= milli && gpu.usable && devices.includes(gpu.id)) free += 1;
  assert(free === shape.gpus && devices.length === shape.gpus, 'a placed GPU is free');
}
