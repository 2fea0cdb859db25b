import type { Executor } from '../execution/executor.ts';

export type OpenExecutor = (kind: Executor['kind']) => Promise<Executor>;

/**
 * Opens each executor when it is first needed, once; one that cannot be opened is tried again at the next
 * need.
 */
export function lazyExecutors(open: OpenExecutor): OpenExecutor {
  const opened = new Map<Executor['kind'], Promise<Executor>>();
  return (kind) => {
    const known = opened.get(kind);
    if (known) return known;
    const opening = open(kind);
    opened.set(kind, opening);
    opening.catch(() => opened.delete(kind));
    return opening;
  };
}
