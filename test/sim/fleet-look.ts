import type { Gateway } from '@clawbernetes/gateway';
import type { NodeView } from '@clawbernetes/protocol';

type Fleet = Gateway['fleet'];
type NodeRecord = ReturnType<Fleet['nodes']>[number];
type Attempts = ReturnType<Fleet['liveAttempts']>;

/** The fleet at one moment: what several models ask for is worked out once, and only if somebody asks. */
export class FleetLook {
  readonly fleet: Fleet;
  /** Whether anything but the time has changed since the look before. */
  readonly isFresh: boolean;
  /** By name. */
  readonly nodes: readonly NodeRecord[];
  readonly #live = new Map<string, Attempts>();
  readonly #held = new Map<string, ReadonlySet<string>>();
  readonly #views = new Map<string, NodeView>();

  constructor(fleet: Fleet, { isFresh }: { readonly isFresh: boolean }) {
    this.fleet = fleet;
    this.isFresh = isFresh;
    this.nodes = fleet.nodes();
  }

  /** Attempts that may still run there. */
  live(nodeId: string): Attempts {
    const known = this.#live.get(nodeId) ?? this.fleet.liveAttempts(nodeId);
    this.#live.set(nodeId, known);
    return known;
  }

  /** Ids of those attempts. */
  held(nodeId: string): ReadonlySet<string> {
    const known = this.#held.get(nodeId) ?? new Set(this.live(nodeId).map(({ id }) => id));
    this.#held.set(nodeId, known);
    return known;
  }

  view(node: NodeRecord): NodeView {
    const known = this.#views.get(node.id) ?? this.fleet.nodeView(node);
    this.#views.set(node.id, known);
    return known;
  }

  views(): readonly NodeView[] {
    return this.nodes.map((node) => this.view(node));
  }
}
