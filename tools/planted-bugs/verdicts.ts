import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Verdict } from './judge.ts';
import type { Mutation } from './mutation.ts';

interface Kept extends Verdict {
  /** Of what it was judged on. */
  readonly judged: string;
}

/** Verdicts of former runs. One counts for the sources, the mutation and the tests that it was found with. */
export class Verdicts {
  readonly #file: string | undefined;
  readonly #root: string;
  /** Of all sources. */
  readonly #sources: string;
  readonly #kept: Record<string, Kept>;

  private constructor(where: { file: string | undefined; root: string; sources: string }, kept: object) {
    this.#file = where.file;
    this.#root = where.root;
    this.#sources = where.sources;
    this.#kept = kept as Record<string, Kept>;
  }

  /** Without a file nothing is kept. */
  static async open(file: string | undefined, root: string, sources: string): Promise<Verdicts> {
    return new Verdicts({ file, root, sources }, file === undefined ? {} : await readOrEmpty(file));
  }

  async get(mutation: Mutation): Promise<Verdict | undefined> {
    const kept = this.#kept[mutation.name];
    return kept?.judged === (await this.#fingerprint(mutation)) ? kept : undefined;
  }

  async set(mutation: Mutation, verdict: Verdict): Promise<void> {
    this.#kept[mutation.name] = { ...verdict, judged: await this.#fingerprint(mutation) };
    if (this.#file !== undefined)
      await writeFile(this.#file, `${JSON.stringify(this.#kept, undefined, 2)}\n`);
  }

  async #fingerprint(mutation: Mutation): Promise<string> {
    const tests = mutation.test === undefined ? '' : await readFile(path.join(this.#root, mutation.test));
    const hash = createHash('sha256').update(this.#sources).update(JSON.stringify(mutation)).update(tests);
    return hash.digest('hex').slice(0, 16);
  }
}

async function readOrEmpty(file: string): Promise<object> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as object;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
