import { detectorsFor, nameOf, observe, type Detector, type Observation } from './detector.ts';
import type { Mutation } from './mutation.ts';
import type { PlantedTree } from './planted-tree.ts';

export interface Verdict {
  readonly caught: boolean;
  /** What caught it; of what nothing did, what broke off over it. */
  readonly by: string;
  readonly seconds: number;
}

/** Plants defects and lets detectors look until one sees them. */
export class Judge {
  readonly #root: string;
  readonly #tree: PlantedTree;
  /** By name: what is wrong without any planted bug, or nothing. */
  readonly #healthy = new Map<string, string | undefined>();

  constructor(root: string, tree: PlantedTree) {
    this.#root = root;
    this.#tree = tree;
  }

  /** @throws Error where a detector would find fault with the sources as they are. */
  async judge(mutation: Mutation): Promise<Verdict> {
    const startMs = performance.now();
    const seconds = (): number => Math.round((performance.now() - startMs) / 1000);
    const broken: string[] = [];
    for (const detector of await detectorsFor(mutation, this.#root)) {
      const { result, what } = await this.#tree.with(mutation, () => this.#observe(detector));
      if (result === 'broken') broken.push(`${nameOf(detector)} broke off: ${what}`);
      if (result !== 'violation') continue;
      const verdict = { caught: true, by: `${nameOf(detector)}: ${what}`, seconds: seconds() };
      await this.#demandHealthy(detector);
      return verdict;
    }
    return { caught: false, by: broken[0] ?? '', seconds: seconds() };
  }

  /** What it finds counts only if it finds nothing without a planted bug; each is asked once. */
  async #demandHealthy(detector: Detector): Promise<void> {
    const name = nameOf(detector);
    if (!this.#healthy.has(name)) {
      const { result, what } = await this.#observe(detector);
      this.#healthy.set(name, result === 'silent' ? undefined : what);
    }
    const wrong = this.#healthy.get(name);
    if (wrong !== undefined)
      throw new Error(`${name} fails without any planted bug; mend that first: ${wrong}`);
  }

  #observe(detector: Detector): Promise<Observation> {
    return observe(detector, this.#tree.root, this.#root);
  }
}
