import { WHOLE_GPU } from '../cluster/demand.ts';
import type { SnapshotGpu } from '../snapshot.ts';

/** GPU models of a fleet, and for each MIG profile those of which there are such instances. */
export class GpuModels {
  readonly #models = new Map<string, number>();
  /** By profile: models, and thousandths of one that an instance is. */
  readonly #instances = new Map<string, Map<string, number>>();

  add(gpus: Iterable<Pick<SnapshotGpu, 'model' | 'migProfile' | 'migMilli'>>): void {
    for (const { model, migProfile, migMilli = WHOLE_GPU } of gpus) {
      this.#models.set(model, WHOLE_GPU);
      if (migProfile === undefined) continue;
      const models = this.#instances.get(migProfile) ?? new Map<string, number>();
      this.#instances.set(migProfile, models);
      models.set(model, migMilli);
    }
  }

  /** Equal for fleets that have the same of them. */
  get key(): string {
    const instances = this.#instances.entries().map(([profile, models]) => `${profile}:${textOf(models)}`);
    return [textOf(this.#models), ...instances.toArray().toSorted()].join(';');
  }

  /** Models with what one GPU counts, or one instance of the profile; thousandths. */
  offering(migProfile: string | undefined): readonly (readonly [string, number])[] {
    return [...(migProfile === undefined ? this.#models : (this.#instances.get(migProfile) ?? []))];
  }
}

function textOf(models: ReadonlyMap<string, number>): string {
  return Array.from(models, ([model, milli]) => `${model} ${milli}`)
    .toSorted()
    .join(',');
}
