// Shows that journals written by older versions replay to the same state, and that the newest of those kept
// here is as this version writes it. When that changes on purpose: keep the old file, add the next one with
// JOURNAL_FIXTURE=<number> vitest run packages/ledger/test/journal/upgrade.test.ts
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { seededRandom, silentLogger } from '@clawbernetes/kernel';
import { VirtualClock } from '@clawbernetes/kernel/testing';
import { auditLedger, Ledger } from '@clawbernetes/ledger';
import { SameThread } from '@clawbernetes/ledger/testing';
import { expect, it } from 'vitest';
import { makeJournal, type WrittenJournal } from './make-journal.ts';
import { storeOf } from './store-of.ts';

const folder = path.join(import.meta.dirname, 'journals');
const wanted = process.env['JOURNAL_FIXTURE'];
if (wanted !== undefined)
  writeFileSync(
    path.join(folder, `journal-${wanted}.json`),
    `${JSON.stringify(await makeJournal(), null, 2)}\n`,
  );
const names = readdirSync(folder).toSorted((left, right) =>
  left.localeCompare(right, 'en', { numeric: true }),
);

const journalOf = (name: string): WrittenJournal =>
  JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as WrittenJournal;

it.each(names)('%s replays', async (name) => {
  const journal = journalOf(name);
  const clock = new VirtualClock({ startMs: journal.frames.at(-1)?.timeMs ?? 0 });
  const store = await storeOf(clock, journal.frames);
  const { stateHash, discrepancies, totals } = await auditLedger(store, journal);
  expect({ stateHash, discrepancies }).toEqual({ stateHash: journal.stateHash, discrepancies: [] });
  expect(totals.frames).toBe(journal.frames.length);
  const deps = { clock, random: seededRandom(2), logger: silentLogger, threads: new SameThread(), store };
  const ledger = await Ledger.open(deps, journal);
  expect(ledger.sequence).toBe(journal.frames.length);
});

it('the newest is what this version writes', async () => {
  expect(await makeJournal()).toEqual(journalOf(names.at(-1) ?? ''));
});
