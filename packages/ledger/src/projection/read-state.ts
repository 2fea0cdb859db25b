import { AccountHeads } from './account-heads.ts';
import type { ProjectorState } from './projector.ts';
import type { SegmentArchive } from './segment-archive.ts';
import { ACCOUNT_COLUMN, SECTION } from './segment-layout.ts';
import { SUM_WORDS } from './wide-sum.ts';

/**
 * Where the projector goes on: heads of all accounts, from when they were last stored, then segment by
 * segment.
 */
export async function readState(archive: SegmentArchive): Promise<ProjectorState> {
  const heads = new AccountHeads();
  const from = lastHeads(archive);
  if (from > 0) await readHeads(archive, from, heads);
  let accounts = 0;
  for (let segment = from + 1; segment <= archive.last; segment += 1) {
    accounts += archive.facts(segment).accounts;
    await readAccounts(archive, segment, heads);
  }
  const { last: segment, rows, sequence, timeMs } = archive;
  const segments = heads.segments.slice(0, heads.size);
  const sums = heads.sums.slice(0, heads.size * SUM_WORDS);
  return {
    segment,
    rows,
    sequence,
    timeMs,
    sinceHeads: { segments: segment - from, accounts },
    segments,
    sums,
  };
}

function lastHeads(archive: SegmentArchive): number {
  let segment = archive.last;
  while (segment > 0 && !archive.facts(segment).hasHeads) segment -= 1;
  return segment;
}

async function readHeads(archive: SegmentArchive, segment: number, heads: AccountHeads): Promise<void> {
  let account = 0;
  for await (const page of archive.section(segment, SECTION.heads)) {
    heads.include(account + page.count - 1);
    for (let row = 0; row < page.count; row += 1) {
      heads.segments[account] = page.value(0, row);
      for (let word = 0; word < SUM_WORDS; word += 1)
        heads.sums[account * SUM_WORDS + word] = page.value(1 + word, row);
      account += 1;
    }
  }
}

async function readAccounts(archive: SegmentArchive, segment: number, heads: AccountHeads): Promise<void> {
  for await (const page of archive.section(segment, SECTION.accounts)) {
    for (let row = 0; row < page.count; row += 1) {
      const account = page.value(ACCOUNT_COLUMN.account, row);
      heads.include(account);
      heads.segments[account] = segment;
      for (let word = 0; word < SUM_WORDS; word += 1)
        heads.sums[account * SUM_WORDS + word] = page.value(ACCOUNT_COLUMN.after + word, row);
    }
  }
}
