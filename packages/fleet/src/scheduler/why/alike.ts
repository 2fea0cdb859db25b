import { present } from '@clawbernetes/kernel';
import { partsKey } from '../gpu-parts.ts';
import { meets } from '../node-constraints.ts';
import { namesNodes, type Shape } from '../resources.ts';
import { atOnce, sliced, type Sliced } from '../slices.ts';
import { NODE_NAME_LABEL, type SnapshotNode } from '../snapshot.ts';

/** Nodes that have the same obstacles for a shape: a fleet has far fewer such groups than nodes. */
export interface Alike {
  /** The first of them. */
  readonly example: SnapshotNode;
  /** One at least. */
  readonly nodes: readonly SnapshotNode[];
}

/** Equal for nodes that are alike for every shape but for their names. */
export type LikenessOf = (node: SnapshotNode) => number;

/**
 * Groups nodes for whoever explains something to any shape that does not name nodes; in the order of the
 * first of each. @param likenessOf absent = each by itself.
 */
export function alikeNodes(nodes: Iterable<SnapshotNode>, likenessOf?: LikenessOf): readonly Alike[] {
  return atOnce(gatherAlike(nodes, likenessOf));
}

/** Of one node, in looks. */
const LOOKS_PER_NODE = 1;

/** The same in pieces. */
export function* gatherAlike(
  nodes: Iterable<SnapshotNode>,
  likenessOf?: LikenessOf,
): Sliced<readonly Alike[]> {
  if (!likenessOf) return Array.from(nodes, (node) => ({ example: node, nodes: [node] }));
  const groups = new Map<
    number | string,
    { readonly example: SnapshotNode; readonly nodes: SnapshotNode[] }
  >();
  yield* sliced(nodes, LOOKS_PER_NODE, (node) => {
    const key = explainedLike(node, likenessOf);
    const known = groups.get(key);
    if (known) known.nodes.push(node);
    else groups.set(key, { example: node, nodes: [node] });
  });
  return [...groups.values()];
}

/** The same for one shape: nodes that it tells apart by their names, or by parts of them, are parted. */
export function alikeFor(shape: Shape, alike: readonly Alike[]): readonly Alike[] {
  const { within } = shape;
  if (!namesNodes(shape) && within === undefined) return alike;
  return alike.flatMap(({ nodes }) => {
    const groups = Map.groupBy(nodes, (node) =>
      within === undefined ? namesMet(node, shape) : `${partsKey(node, within)} ${namesMet(node, shape)}`,
    );
    return Array.from(groups.values(), (some) => ({ example: present(some[0], 'a node'), nodes: some }));
  });
}

/** The first so many. */
export function firstNodes(alike: readonly Alike[], count: number): readonly SnapshotNode[] {
  return alike.flatMap(({ nodes }) => nodes.slice(0, count)).slice(0, count);
}

export function examples(alike: readonly Alike[]): readonly SnapshotNode[] {
  return alike.map(({ example }) => example);
}

export function countNodes(alike: readonly Alike[]): number {
  return alike.reduce((sum, { nodes }) => sum + nodes.length, 0);
}

/** Who looks for a place does not care why a GPU is out of use; who explains does. */
function explainedLike(node: SnapshotNode, likenessOf: LikenessOf): number | string {
  // What is kept there for others says more than what is free.
  if (node.isMasked) return node.id;
  const key = likenessOf(node);
  if (node.gpus.every(({ usable }) => usable)) return key;
  return `${key} ${node.gpus.map(({ outOfUse = '' }) => outOfUse).join('/')}`;
}

function namesMet(node: SnapshotNode, { nodeId, nodeSelector, affinity }: Shape): string {
  const terms = affinity ? [...affinity.required, ...affinity.preferred] : [];
  return [
    nodeId === node.id,
    nodeSelector[NODE_NAME_LABEL] === node.labels[NODE_NAME_LABEL],
    ...terms.map((term) => term.label === NODE_NAME_LABEL && meets(node.labels, term)),
  ].join(' ');
}
