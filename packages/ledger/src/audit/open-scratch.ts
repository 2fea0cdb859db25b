import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes, silentLogger, type Clock } from '@clawbernetes/kernel';
import { openSqliteStore } from '@clawbernetes/storage';
import { ledgerError } from '../errors.ts';
import { LEDGER_SCHEMA } from '../journal/ledger-schema.ts';
import type { AuditScratch } from './audit-ids.ts';

export interface ScratchOptions {
  /** Where its files lie, while there are any. */
  readonly folder: string;
  readonly heldIds: number;
  /** Most that it may hold, bytes; about 40 for each id that the ledger still remembers. */
  readonly maxBytes: number;
}

/** The file grows by what is on its way through the log. */
const FILE_SHARE = 2;
/** Left free for others, the ledger itself among them. */
const RESERVED_BYTES = 2 ** 30;
const PAGE_BYTES = 16_384;

/** A SQLite file that only this process can reach: it has no name any more, so nothing stays of a crash. */
export async function openScratch(
  { clock }: { readonly clock: Clock },
  { folder, heldIds, maxBytes }: ScratchOptions,
): Promise<AuditScratch & AsyncDisposable> {
  const own = await mkdtemp(join(folder, 'clawbernetes-audit-'));
  try {
    const path = join(own, 'ids.sqlite');
    const options = { path, schema: LEDGER_SCHEMA, pageBytes: PAGE_BYTES };
    const store = await openSqliteStore({ clock, logger: silentLogger }, options);
    return {
      store,
      heldIds,
      admit: (bytes, more) => admit({ folder, bytes: bytes + more, more, maxBytes }),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

interface Wanted {
  readonly folder: string;
  readonly bytes: number;
  readonly more: number;
  readonly maxBytes: number;
}

async function admit({ folder, bytes, more, maxBytes }: Wanted): Promise<void> {
  if (bytes > maxBytes) {
    const message =
      `The ids that this ledger remembers take more than ${formatBytes(maxBytes)}, which is all that an audit ` +
      'may use beside its memory. Audit a copy of the journal on another machine.';
    throw ledgerError(message, { code: 'audit-too-large' });
  }
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= FILE_SHARE * more + RESERVED_BYTES) return;
  const message =
    `The audit needs ${formatBytes(bytes)} in ${folder} for the ids that the ledger remembers, and leaves ` +
    `${formatBytes(RESERVED_BYTES)} to others. Free some space there, or set TMPDIR to a folder that has it.`;
  throw ledgerError(message, { code: 'audit-too-large' });
}
