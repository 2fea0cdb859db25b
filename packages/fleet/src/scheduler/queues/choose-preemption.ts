import { atOnce, type Sliced } from '../slices.ts';
import type { Victim } from './victims.ts';
import { compareText } from './workload-order.ts';

export interface PreemptionDomain {
  readonly id: string;
  /** Of the units in it that may be evicted. */
  readonly unitIds: readonly string[];
}

export interface PreemptionInput {
  readonly candidates: readonly Victim[];
  /** Most wanted first: of equal cost, the first one is taken. */
  readonly domains: readonly PreemptionDomain[];
  /**
   * Whether all of the preemptor has a place once these are gone: the real placer, on a fork of the fleet.
   */
  readonly fits: (removed: ReadonlySet<string>, domainId: string) => boolean;
  readonly limits: PreemptionLimits;
  /** What one such question costs, in looks; absent = 1. */
  readonly looksPerFit?: number;
}

export interface PreemptionLimits {
  readonly domains: number;
  readonly fitsCalls: number;
}

export const DEFAULT_PREEMPTION_LIMITS: PreemptionLimits = { domains: 16, fitsCalls: 1000 };

export interface PreemptionPlan {
  readonly domainId: string;
  /** Least important last. None where the preemptor fits anyway. */
  readonly victims: readonly Victim[];
  readonly gpuHours: number;
  /** It has been shown that none of them could be spared alone; else the budget ended before that. */
  readonly minimal: boolean;
}

interface SearchEffort {
  readonly domainsLooked: number;
  readonly fitsCalls: number;
}

export type PreemptionChoice =
  /** The cheapest of the domains looked at; `complete` if these were all. */
  | (SearchEffort & { readonly outcome: 'chosen'; readonly plan: PreemptionPlan; readonly complete: boolean })
  /** It does not fit in any domain, even if all candidates there were gone. */
  | (SearchEffort & { readonly outcome: 'does-not-fit' })
  /** Not known: the limits ended the search before it found anything. */
  | (SearchEffort & { readonly outcome: 'search-budget-exhausted' });

/**
 * Picks victims for one preemptor. In each domain all candidates are removed first; if it then fits whole,
 * victims are spared from the most to the least important while it still does. A plan is only made of a set
 * that `fits` has seen.
 */
export function choosePreemption(input: PreemptionInput): PreemptionChoice {
  return atOnce(choosingPreemption(input));
}

/** The same in pieces. */
export function* choosingPreemption(input: PreemptionInput): Sliced<PreemptionChoice> {
  const budget = new FitsBudget(input);
  let best: PreemptionPlan | undefined;
  let domainsLooked = 0;
  for (const domain of input.domains.slice(0, input.limits.domains)) {
    const plan = yield* planIn(domain, input.candidates, budget);
    if (plan || !budget.exhausted) domainsLooked += 1;
    if (plan && (!best || comparePlans(plan, best) < 0)) best = plan;
    if (budget.exhausted) break;
  }
  const complete = domainsLooked === input.domains.length;
  const effort = { domainsLooked, fitsCalls: budget.calls };
  if (best) return { outcome: 'chosen', plan: best, complete, ...effort };
  return { outcome: complete ? 'does-not-fit' : 'search-budget-exhausted', ...effort };
}

/** Once it is used up every answer is "no", which proves nothing. */
class FitsBudget {
  readonly #input: PreemptionInput;
  calls = 0;
  exhausted = false;

  constructor(input: PreemptionInput) {
    this.#input = input;
  }

  *fits(victims: readonly Victim[], domainId: string): Sliced<boolean> {
    if (this.calls >= this.#input.limits.fitsCalls) this.exhausted = true;
    if (this.exhausted) return false;
    this.calls += 1;
    yield this.#input.looksPerFit ?? 1;
    return this.#input.fits(new Set(victims.map(({ unit }) => unit.id)), domainId);
  }
}

function* planIn(
  { id, unitIds }: PreemptionDomain,
  candidates: readonly Victim[],
  budget: FitsBudget,
): Sliced<PreemptionPlan | undefined> {
  const all = closed(candidates, new Set(unitIds)).toSorted(compareImportance);
  const fits = (rest: readonly Victim[]): Sliced<boolean> => budget.fits(rest, id);
  if (!(yield* fits(all))) return undefined;
  let victims: readonly Victim[] = yield* spareOnce(all, fits);
  // A set that was not searched through may hold victims that nobody needs: better none than that.
  if (budget.exhausted) return undefined;
  for (let before: readonly Victim[] = all; victims.length < before.length;) {
    before = victims;
    const rest: readonly Victim[] = yield* spareOnce(before, fits);
    if (budget.exhausted) break;
    victims = rest;
  }
  const gpuHours = victims.reduce((sum, victim) => sum + victim.gpuHours, 0);
  return { domainId: id, victims: victims.toSorted(compareImportance), gpuHours, minimal: !budget.exhausted };
}

/** Candidates of the domain, and where the core of a gang is one, all that it has grown to elsewhere. */
function closed(candidates: readonly Victim[], unitIds: ReadonlySet<string>): readonly Victim[] {
  const inside = candidates.filter(({ unit }) => unitIds.has(unit.id));
  const gone = new Set(inside.filter(({ unit }) => unit.part === 'core').map(({ unit }) => unit.workloadId));
  return candidates.filter(({ unit }) => unitIds.has(unit.id) || gone.has(unit.workloadId));
}

/**
 * The victims, most important first, that are left when each in turn is spared if it can be. Spares whole
 * runs at a time: about victims × log2(candidates) questions instead of one per candidate. A placer may say
 * yes to fewer removals after a no to more, so only a round that spares nobody proves all of them necessary.
 */
function* spareOnce(all: readonly Victim[], fits: Fits): Sliced<readonly Victim[]> {
  const kept: Victim[] = [];
  let open = all;
  while (open.length > 0) {
    const spared = yield* longestSpared(open, (rest) => fits([...kept, ...rest]));
    const necessary = open[spared];
    if (!necessary) break;
    kept.push(necessary);
    const goes = surplusOf(necessary);
    const after = open.slice(spared + 1);
    kept.push(...after.filter(goes));
    open = after.filter((victim) => !goes(victim));
  }
  return kept;
}

/** How many from the front can be spared together: doubling steps, then halving ones. */
function* longestSpared(open: readonly Victim[], fits: Fits): Sliced<number> {
  let spared = 0;
  let step = 1;
  while (spared + step <= open.length && (yield* fits(open.slice(spared + step)))) {
    spared += step;
    step *= 2;
  }
  for (step /= 2; step >= 1; step /= 2) {
    if (spared + step <= open.length && (yield* fits(open.slice(spared + step)))) spared += step;
  }
  return spared;
}

/** What cannot be spared any more once the core is a victim. */
function surplusOf({ unit }: Victim): (victim: Victim) => boolean {
  return (victim) =>
    unit.part === 'core' && victim.unit.part === 'surplus' && victim.unit.workloadId === unit.workloadId;
}

/** Most important first; the core of a gang stands before its surplus, whose priority is the same. */
function compareImportance(one: Victim, other: Victim): number {
  return (
    other.unit.priority - one.unit.priority ||
    Number(one.unit.part === 'surplus') - Number(other.unit.part === 'surplus') ||
    other.gpuHours - one.gpuHours ||
    one.unit.startedMs - other.unit.startedMs ||
    compareText(one.unit.id, other.unit.id)
  );
}

type Fits = (victims: readonly Victim[]) => Sliced<boolean>;

function comparePlans(one: PreemptionPlan, other: PreemptionPlan): number {
  return one.gpuHours - other.gpuHours || one.victims.length - other.victims.length;
}
