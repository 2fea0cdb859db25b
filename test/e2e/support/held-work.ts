import { expect } from 'vitest';
import type { WorkloadSpecInput, WorkloadView } from '@clawbernetes/protocol';
import type { Inspection, RealFleet } from './real-fleet.ts';
import { until } from './until.ts';

export interface HeldOptions {
  readonly exitCode?: number;
  readonly ignoresTerm?: boolean;
  readonly spec?: Partial<WorkloadSpecInput>;
}

/** A workload that notes each of its starts, prints, and goes on when the test lets it. */
export class HeldWork {
  readonly name: string;
  readonly id: string;
  readonly #fleet: RealFleet;
  readonly #exitCode: number;

  static async submit(
    fleet: RealFleet,
    name: string,
    { exitCode = 0, ignoresTerm = false, spec = {} }: HeldOptions = {},
  ): Promise<HeldWork> {
    const script = [
      ignoresTerm ? "trap '' TERM" : ':',
      `echo started >> ${name}.starts`,
      'echo first; echo problem >&2',
      `while [ ! -e ${name}.go ]; do sleep 0.1; done`,
      `echo last; exit ${exitCode}`,
    ];
    const view = await fleet.sh(script.join('\n'), { name, ...spec });
    return new HeldWork(fleet, view, exitCode);
  }

  private constructor(fleet: RealFleet, { id, name }: WorkloadView, exitCode: number) {
    this.#fleet = fleet;
    this.id = id;
    this.name = name;
    this.#exitCode = exitCode;
  }

  /** It has reached its program, which is more than being reported as running. */
  async hasBegun(): Promise<void> {
    await until(`${this.name} has begun`, async () => (await this.starts()) > 0);
  }

  async starts(): Promise<number> {
    return (await this.#fleet.file(`${this.name}.starts`)).split('\n').length - 1;
  }

  async letGo(): Promise<void> {
    await this.#fleet.letGo(this.name);
  }

  /** Waits for its end and expects that it ran once, to its own end, with every byte of its output. */
  async endsWhole(): Promise<Inspection> {
    const view = await this.#fleet.end(this.id);
    expect(view).toMatchObject({ name: this.name, exitCode: this.#exitCode, attempts: [{ number: 1 }] });
    const { name, id } = this;
    const [output, errors] = [await this.#fleet.text(id), await this.#fleet.text(id, 'stderr')];
    const starts = await this.starts();
    expect({ name, output, errors, starts }).toEqual({
      name,
      output: 'first\nlast\n',
      errors: 'problem\n',
      starts: 1,
    });
    return view;
  }
}
