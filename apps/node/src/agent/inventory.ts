import { canonicalJson, errorMessage, type Logger } from '@clawbernetes/kernel';
import type { NodeInventory } from '@clawbernetes/protocol';
import type { Hardware } from '../host.ts';

/** The hardware as last detected, with the bytes that describe it to the gateway. */
export class Inventory {
  readonly #deps: { readonly hardware: Hardware; readonly logger: Logger };
  #present: NodeInventory;
  #pending: Promise<NodeInventory> | undefined;
  #onChange: () => void = () => undefined;

  static async open(deps: { readonly hardware: Hardware; readonly logger: Logger }): Promise<Inventory> {
    return new Inventory(deps, await deps.hardware.detect({}));
  }

  private constructor(
    deps: { readonly hardware: Hardware; readonly logger: Logger },
    present: NodeInventory,
  ) {
    this.#deps = deps;
    this.#present = present;
  }

  get present(): NodeInventory {
    return this.#present;
  }

  encode(): Uint8Array {
    return Buffer.from(canonicalJson(this.#present));
  }

  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Probes again; callers that ask meanwhile share the answer. */
  detect(): Promise<NodeInventory> {
    this.#pending ??= this.#detect().finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  /** As `detect`, for nobody in particular: a failure is logged. */
  async refresh(): Promise<void> {
    try {
      await this.detect();
    } catch (error) {
      this.#deps.logger.warn('The hardware could not be detected again', { error: errorMessage(error) });
    }
  }

  async #detect(): Promise<NodeInventory> {
    const next = await this.#deps.hardware.detect({});
    const changed = next !== this.#present && essence(next) !== essence(this.#present);
    this.#present = next;
    if (changed) this.#onChange();
    return next;
  }
}

/** What the gateway should hear of: not the free disk space and not how long a probe took. */
function essence({ disk, probes, ...rest }: NodeInventory): string {
  return canonicalJson({
    ...rest,
    disk: { path: disk.path, totalMib: disk.totalMib },
    probes: probes.map(({ name, outcome }) => ({ name, outcome })),
  });
}
