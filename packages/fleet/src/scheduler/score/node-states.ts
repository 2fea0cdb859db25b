import { canonicalJson, present } from '@clawbernetes/kernel';
import { stateKey, type NodeState } from '../cluster/node-state.ts';
import type { GroupKey } from '../node-groups.ts';
import { NODE_NAME_LABEL, type SnapshotGpu, type SnapshotNode } from '../snapshot.ts';

/** Groups whose numbers are remembered; what comes back after it was forgotten is another group. */
const MAX_GROUPS = 100_000;
/**
 * Profiles of nodes; in a fleet with more of them each node beyond is a group by itself, scored as the first.
 */
const MAX_PROFILES = 10_000;

export interface KnownNode {
  readonly state: NodeState;
  readonly groupKey: GroupKey;
  readonly profile: Profile;
}

interface Profile {
  readonly number: number;
  /** Whether all nodes of this number are of it. */
  readonly isExact: boolean;
  /** Whether its GPUs are alike and alike joined, so that it does not matter which of them are free. */
  readonly isUniform: boolean;
}

/** What nodes are for whoever scores them, by numbers: those that are alike are looked at once. */
export class NodeStates {
  readonly #profiles = new Map<string, number>();
  /** By the empty node. */
  readonly #profileOf = new WeakMap<SnapshotNode, Profile>();
  /** A node of each profile, which stands for all. */
  readonly #examples: SnapshotNode[] = [];
  /** A view of a node is never changed, so what follows from it holds as long as it does. */
  readonly #known = new WeakMap<SnapshotNode, KnownNode>();
  readonly #groupNumbers = new Map<string, GroupKey>();
  #nextGroup = 0;

  /** A node of this profile. */
  example(profile: number): SnapshotNode {
    return present(this.#examples[profile], 'a node of a profile');
  }

  of(node: SnapshotNode): KnownNode {
    const known = this.#known.get(node);
    if (known) return known;
    const profile = this.#profile(node);
    const { cpuMilli, memoryMib } = node.free;
    const state = { cpuMilli, memoryMib, profile: profile.number, gpus: sharesOf(node.gpus) };
    const key = stateKey(state);
    const which = profile.isUniform ? '' : ` ${node.gpus.map(freeShare).join(' ')}`;
    const only = profile.isExact ? '' : ` only ${node.id}`;
    const readiness = node.schedulable ? '' : ` ${node.unschedulableReason ?? 'not ready'}`;
    const groupKey = this.#groupNumber(`${key}${which}${only}${readiness}`);
    const entry = { state, groupKey, profile };
    this.#known.set(node, entry);
    return entry;
  }

  #groupNumber(name: string): GroupKey {
    const known = this.#groupNumbers.get(name);
    if (known !== undefined) return known;
    if (this.#groupNumbers.size >= MAX_GROUPS) this.#groupNumbers.clear();
    this.#groupNumbers.set(name, this.#nextGroup);
    this.#nextGroup += 1;
    return this.#nextGroup - 1;
  }

  #profile(node: SnapshotNode): Profile {
    const { empty = node } = node;
    const known = this.#profileOf.get(empty) ?? this.#newProfile(empty);
    this.#profileOf.set(empty, known);
    return known;
  }

  #newProfile(node: SnapshotNode): Profile {
    const { [NODE_NAME_LABEL]: _name, ...labels } = node.labels;
    const gpus = node.gpus.map(({ model, memoryMib, usable, migProfile = '' }) => [
      ...[model, memoryMib, usable, migProfile],
    ]);
    const areAlike = new Set(gpus.map((gpu) => gpu.join())).size <= 1;
    const isUniform = areAlike && node.gpuClass?.isEvenlyLinked !== false;
    const { capacity, sandboxed, taints = [], gpuClass } = node;
    const executors = [...node.executors].toSorted();
    const links = gpuClass?.hash ?? '';
    const key = canonicalJson({ labels, gpus, links, capacity, sandboxed, taints, executors });
    const known = this.#profiles.get(key);
    if (known !== undefined) return { number: known, isExact: true, isUniform };
    if (this.#profiles.size >= MAX_PROFILES) return { number: 0, isExact: false, isUniform };
    this.#profiles.set(key, this.#examples.length);
    return { number: this.#examples.push(node) - 1, isExact: true, isUniform };
  }
}

/** Thousandths that are free of GPUs, the most first. */
function sharesOf(gpus: readonly SnapshotGpu[]): readonly number[] {
  const shares = gpus.map((gpu) => (gpu.migProfile === undefined ? freeShare(gpu) : 0));
  return shares.toSorted((left, right) => right - left);
}

function freeShare({ freeMilli, usable }: SnapshotGpu): number {
  return usable ? freeMilli : 0;
}
