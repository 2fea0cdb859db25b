import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { plant, type Mutation } from './mutation.ts';

const FOLDERS = ['packages', 'apps', 'test'];
const FILES = [
  'package.json',
  'vitest.config.ts',
  'tsconfig.base.json',
  'tsconfig.json',
  'tsconfig.tests.json',
];
const LEFT_OUT: ReadonlySet<string> = new Set(['node_modules', 'dist', 'perf']);
const SCOPE = '@clawbernetes';

/** A copy of the sources in a temporary folder, into which one defect at a time is planted. */
export class PlantedTree implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async open(original: string): Promise<PlantedTree> {
    const root = await mkdtemp(path.join(tmpdir(), 'planted-bugs-'));
    const filter = (source: string): boolean => !LEFT_OUT.has(path.basename(source));
    for (const name of [...FOLDERS, ...FILES])
      await cp(path.join(original, name), path.join(root, name), { recursive: true, filter });
    await linkModules(original, root);
    return new PlantedTree(root);
  }

  /** Runs `work` while the defect is there. @throws Error where it cannot be planted. */
  async with<T>(mutation: Mutation, work: () => Promise<T>): Promise<T> {
    const file = path.join(this.root, mutation.file);
    const source = await readFile(file, 'utf8');
    await writeFile(file, plant(source, mutation));
    try {
      return await work();
    } finally {
      await writeFile(file, source);
    }
  }

  /** Of everything in it but tests, which judge and are not judged. */
  async fingerprint(): Promise<string> {
    const hash = createHash('sha256');
    for (const folder of FOLDERS) {
      const names = await readdir(path.join(this.root, folder), { recursive: true });
      for (const name of names.filter(isSource).toSorted())
        hash.update(name).update(await readFile(path.join(this.root, folder, name)));
    }
    return hash.digest('hex');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

function isSource(name: string): boolean {
  return /\.(ts|json)$/.test(name) && !name.endsWith('.test.ts');
}

/** What is installed is shared; the packages of the workspace are those of the copy. */
async function linkModules(original: string, root: string): Promise<void> {
  const installed = path.join(original, 'node_modules');
  const modules = path.join(root, 'node_modules');
  await mkdir(path.join(modules, SCOPE), { recursive: true });
  for (const name of await readdir(installed))
    if (name !== SCOPE && !name.startsWith('.vite'))
      await symlink(path.join(installed, name), path.join(modules, name));
  for (const folder of ['packages', 'apps'])
    for (const name of await readdir(path.join(original, folder)))
      await symlink(path.join(root, folder, name), path.join(modules, SCOPE, name));
}
