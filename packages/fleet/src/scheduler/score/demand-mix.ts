import { gpuShare, WHOLE_GPU, type Demand } from '../cluster/demand.ts';

/** Kinds of demand that are told apart; the rarest is forgotten for a further one. */
const MAX_KINDS = 1024;
/** After so many arrivals old ones count half: the mix of a fleet changes. */
const HALVING_ARRIVALS = 50_000;

/** Arrivals of one kind. */
export interface KindCount<Kind> {
  readonly kind: Kind;
  count: number;
}

/** What the mix needs to know of a kind. */
export interface MixedKind {
  /** Equal for equal kinds. */
  readonly key: string;
  readonly demand: Demand;
}

/** What asks for GPUs, learnt as it arrives: how often each kind came, the recent ones counting more. */
export class DemandMix<Kind extends MixedKind> {
  readonly #counts = new Map<string, KindCount<Kind>>();
  #arrivals = 0;

  /** Arrivals so far, those before the last halving included. */
  get arrivals(): number {
    return this.#arrivals;
  }

  arrived(kind: Kind): void {
    this.#arrivals += 1;
    if (this.#arrivals % HALVING_ARRIVALS === 0) for (const known of this.#counts.values()) known.count /= 2;
    const known = this.#counts.get(kind.key);
    if (known) {
      known.count += 1;
      return;
    }
    if (this.#counts.size >= MAX_KINDS) this.#forgetRarest();
    this.#counts.set(kind.key, { kind, count: 1 });
  }

  /** Kinds that ask for GPUs, those with the most of them in all first. */
  byGpus(): readonly KindCount<Kind>[] {
    return [...this.#counts.values()]
      .filter(({ kind }) => kind.demand.gpus > 0)
      .toSorted((left, right) => gpusOf(right) - gpusOf(left));
  }

  #forgetRarest(): void {
    let rarest: KindCount<Kind> | undefined;
    for (const known of this.#counts.values()) if (!rarest || known.count < rarest.count) rarest = known;
    if (rarest) this.#counts.delete(rarest.kind.key);
  }
}

/** GPUs that all arrivals of a kind asked for. */
export function gpusOf({ kind, count }: KindCount<MixedKind>): number {
  return (gpuShare(kind.demand) / WHOLE_GPU) * count;
}
