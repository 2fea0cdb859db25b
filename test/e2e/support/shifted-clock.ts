import { existsSync, globSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { upgradedNode } from './upgraded-node.ts';

const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');

/** Why the clock of a process cannot be shifted on this host; undefined if it can. */
export const clockShiftMissing =
  library === undefined ? 'needs faketime: apt-get install faketime' : undefined;

/**
 * A wall clock for real processes which can jump while they run; their monotonic clocks go on, as after a
 * correction of a machine's clock.
 */
export class ShiftedClock implements AsyncDisposable {
  /** Of a process that shall live by this clock. */
  readonly env: Readonly<Record<string, string>>;
  /** A `clawnode` whose supervisor lives by it, too. */
  readonly nodeBin: string;
  readonly #folder: string;

  static async open(): Promise<ShiftedClock> {
    const folder = await mkdtemp(path.join(tmpdir(), 'claw-clock-'));
    const clock = new ShiftedClock(folder, await upgradedNode(folder, '0.1.0'));
    await clock.jumpTo(0);
    await clock.#shiftSupervisor();
    return clock;
  }

  private constructor(folder: string, nodeBin: string) {
    this.#folder = folder;
    this.nodeBin = nodeBin;
    this.env = {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: path.join(folder, 'offset'),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The clock is `offsetSeconds` away from the true time from now on, for all who live by it. */
  async jumpTo(offsetSeconds: number): Promise<void> {
    const sign = offsetSeconds < 0 ? '' : '+';
    const file = path.join(this.#folder, 'offset');
    await writeFile(`${file}.new`, `${sign}${offsetSeconds}`);
    await rename(`${file}.new`, file);
  }

  /** A supervisor gets an environment of its own; it becomes a shifted process before it does anything. */
  async #shiftSupervisor(): Promise<void> {
    const main = path.join(path.dirname(this.nodeBin), '..', 'dist', 'supervisor', 'supervisor-main.js');
    if (!existsSync(main)) throw new Error(`${main} is where the supervisor was expected.`);
    const shifted = main.replace(/\.js$/, '-shifted.js');
    await writeFile(shifted, await readFile(main));
    const args = `[process.execPath, ...process.execArgv, ${JSON.stringify(shifted)}, ...process.argv.slice(2)]`;
    const env = `{ ...process.env, ...${JSON.stringify(this.env)} }`;
    await writeFile(main, `process.execve(process.execPath, ${args}, ${env});\n`);
  }
}
