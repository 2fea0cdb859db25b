import type { NodeView } from '@clawbernetes/protocol';
import type { FleetCore } from './fleet-core.ts';
import type { Connectivity } from './node/connectivity.ts';
import type { NodeRecord } from './records.ts';
import { sliced, type Sliced } from './scheduler/slices.ts';
import { gpuStates } from './views.ts';
import { QuestionTurns } from './workload/question-turns.ts';

type GpuState = NodeView['gpus'][number]['state'];

/** A fleet in figures, all of one moment. */
export interface FleetFigures {
  /** In no order; those that wait for approval and those that have retired too. */
  readonly nodes: readonly NodeRecord[];
  readonly connectivity: ReadonlyMap<Connectivity, number>;
  /** By state, in thousandths of GPUs. */
  readonly gpuMilli: ReadonlyMap<GpuState, number>;
  /** By state, of one namespace. */
  readonly workloads: Readonly<Record<string, number>>;
  /** Number of the newest event. */
  readonly eventSequence: number;
}

/** Of a node, in looks: it is noted down as it is now. */
const LOOKS_OF_MOMENT = 0.2;
/** Of a node, in looks: its GPUs and what holds them are gone through. */
const LOOKS_OF_NODE = 6;

/** Figures that take a look at every node, made in pieces. Waits for no question but others of its kind. */
export class FleetSurvey {
  readonly #core: FleetCore;
  readonly #turns: QuestionTurns;

  constructor(core: FleetCore) {
    this.#core = core;
    this.#turns = new QuestionTurns(core, { looksPerTurn: core.options.looksPerTurn / 2 });
  }

  /** Those that are not answered by now never will be. */
  close(): void {
    this.#turns.close();
  }

  /**
   * Answers what `tell` makes of the figures; it may take several turns, too. @throws CodedError `overloaded`,
   * `aborted`, `storage-unavailable` if the fleet is closed meanwhile.
   */
  ask<Answer>(
    tell: (figures: FleetFigures) => Sliced<Answer>,
    { namespace, signal }: { readonly namespace: string; readonly signal?: AbortSignal },
  ): Promise<Answer> {
    const core = this.#core;
    function* telling(): Sliced<Answer> {
      return yield* tell(yield* counting(core, namespace));
    }
    return this.#turns.ask(telling, signal ? { signal } : {});
  }
}

/** What may change is read before the first piece ends; records never do. */
function* counting({ nodes, workloads, writer }: FleetCore, namespace: string): Sliced<FleetFigures> {
  using then = workloads.moment();
  const connectivity = new Map<Connectivity, number>();
  const gpuMilli = new Map<GpuState, number>();
  const found = Array.from(nodes.nodes(), (node) => {
    add(connectivity, 1, nodes.presence(node.id)?.connectivity ?? 'disconnected');
    return { node, cleaning: nodes.cleaning(node.id) };
  });
  const figures = {
    ...{ nodes: found.map(({ node }) => node), connectivity, gpuMilli },
    ...{ workloads: workloads.counts(namespace), eventSequence: writer.sequence },
  };
  yield found.length * LOOKS_OF_MOMENT;
  yield* sliced(found, LOOKS_OF_NODE, ({ node, cleaning }) => {
    for (const { state, milli } of gpuStates({ node, live: then.liveOn(node.id), cleaning }))
      add(gpuMilli, milli, state);
  });
  return figures;
}

function add<Key>(sums: Map<Key, number>, value: number, key: Key): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}
