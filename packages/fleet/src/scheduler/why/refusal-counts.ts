import type { ObstacleCode } from '@clawbernetes/protocol';
import type { Misfit } from '../fit.ts';
import type { Shape } from '../resources.ts';
import type { SnapshotNode } from '../snapshot.ts';
import { gpusInUse, readinessCode } from './obstacle.ts';

/** Words of `text`: a code and how many nodes. */
const ENTRY = /([a-z-]+) (\d+)/g;

const CODES: Record<Misfit, ObstacleCode> = {
  selector: 'label',
  affinity: 'affinity',
  executor: 'executor',
  sandbox: 'sandbox',
  cpu: 'cpu',
  memory: 'memory',
  'gpu-model': 'gpu-model',
  'gpu-count': 'gpu-count',
  'mig-profile': 'mig-profile',
  nvlink: 'nvlink',
  'gpus-apart': 'gpus-apart',
  taint: 'taint',
};

/**
 * Counts nodes that had no room, by the reason; short enough to be stored with each placement. It costs next
 * to nothing beside the search itself, so a reason is as coarse as what the search knows anyhow.
 */
export class RefusalCounts {
  readonly #counts = new Map<ObstacleCode, number>();
  #text: string | undefined;

  add(code: ObstacleCode, nodes: number): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + nodes);
    this.#text = undefined;
  }

  /** `gpus-in-use 7, cordoned 3`; empty if there are none. */
  get text(): string {
    return (this.#text ??= [...this.#counts].map(([code, nodes]) => `${code} ${nodes}`).join(', '));
  }
}

/** @param misfit why a node could not take it even if it were empty, if that is so. */
export function refusalOf(node: SnapshotNode, shape: Shape, misfit: Misfit | undefined): ObstacleCode {
  return misfit === undefined ? (readinessCode(node) ?? inUse(node, shape)) : CODES[misfit];
}

function inUse(node: SnapshotNode, shape: Shape): ObstacleCode {
  const { cpuMilli, memoryMib } = node.free;
  if (cpuMilli < shape.cpuMilli) return 'cpu-in-use';
  return memoryMib < shape.memoryMib ? 'memory-in-use' : gpusInUse(node, shape).code;
}

/** What `RefusalCounts` wrote; words that are none are left out. */
export function readRefusals(
  text: string,
  isCode: (word: string) => word is ObstacleCode,
): readonly { readonly code: ObstacleCode; readonly nodes: number }[] {
  return [...text.matchAll(ENTRY)].flatMap(([, code = '', nodes]) =>
    isCode(code) ? [{ code, nodes: Number(nodes) }] : [],
  );
}
