import type { Shape } from '../resources.ts';
import type { SnapshotNode } from '../snapshot.ts';
import type { Holder } from './holder.ts';

/** A node and a shape: what a step changes one of. */
export interface Situation {
  readonly node: SnapshotNode;
  readonly shape: Shape;
  /** What runs on the node. */
  readonly holders: readonly Holder[];
}
