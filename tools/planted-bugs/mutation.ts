/** One defect to plant: an exact text of one file, and what it becomes. */
export interface Mutation {
  /** What is wrong then. */
  readonly name: string;
  /** From the root of the project. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Tests that find it for less than the simulator, or where that does not: a file, from the root. */
  readonly test?: string;
  /** Of the simulator, which finds it where the first ones of CI do not. */
  readonly seed?: number;
}

/** The source with the defect. @throws Error where the text is not there exactly once. */
export function plant(source: string, { name, file, find, replace }: Mutation): string {
  const times = source.split(find).length - 1;
  if (times === 1) return source.replace(find, () => replace);
  const what = times === 0 ? 'no longer has' : `has ${times} times`;
  throw new Error(
    `${file} ${what} the text in which "${name}" is planted; bring tools/planted-bugs/mutations.ts up to date:\n${find}`,
  );
}
