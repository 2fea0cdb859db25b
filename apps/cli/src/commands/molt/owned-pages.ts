import type { Context } from '../../context.ts';

/** Most of one request, as the gateway allows. */
const PAGE = 200;
/** Requests of one list: pages may be empty where little is found among much. */
const MAX_PAGES = 200;

export interface PageInput {
  readonly limit: number;
  readonly cursor?: string;
}

export interface ListOptions {
  readonly wallet: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** As many as are wanted, from as many pages as that takes. */
export async function gather<Item>(
  { limit, cursor }: Pick<ListOptions, 'limit' | 'cursor'>,
  ask: (page: PageInput) => Promise<{ readonly items: readonly Item[]; readonly next?: string | undefined }>,
): Promise<{ readonly items: readonly Item[]; readonly next?: string }> {
  const all: Item[] = [];
  let next = cursor;
  for (let pages = 0; pages < MAX_PAGES && all.length < limit; pages += 1) {
    const place = next === undefined ? {} : { cursor: next };
    const page = await ask({ limit: Math.min(PAGE, limit - all.length), ...place });
    all.push(...page.items);
    next = page.next;
    if (next === undefined) return { items: all };
  }
  return next === undefined ? { items: all } : { items: all, next };
}

/** That there is more, and how to see it: the same command after the cursor. */
export function remarkMore(
  context: Context,
  words: readonly (string | undefined)[],
  options: Readonly<Record<string, string | undefined>> & { readonly cursor: string | undefined },
): void {
  if (options.cursor === undefined || context.format === 'json') return;
  const given = Object.entries(options).map(([name, value]) => value && `--${name} ${value}`);
  const command = [...words, ...given].filter(Boolean).join(' ');
  context.remark(`There may be older ones. Go on with:\n  clawbernetes ${command}`);
}
