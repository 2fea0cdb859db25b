import { assert } from '@clawbernetes/kernel';
import { u32 } from '../machine/cells.ts';
import { AccountHeads } from './account-heads.ts';
import type { AccountLine, Line, LineRange } from './movement.ts';
import { MARK_FIELDS, type FeedBatch } from './movement-feed.ts';
import { PageWriter } from './packed-page.ts';
import type { Predecessors, SealedSegment } from './seal-segment.ts';
import { sealSegment } from './seal-segment.ts';
import { Tail, type TailStart } from './tail.ts';
import { accountLines, referenceLines } from './tail-lines.ts';

/** Segments that wait to be stored at once; then no more movements are taken. */
export const MAX_UNSTORED = 2;
/** Heads of all accounts are stored with a segment once as many were stored one by one, but … */
const MIN_HEADS_SEGMENTS = 16;
/** … at the latest after so many, which bounds how far back a search has to go. */
export const MAX_HEADS_SEGMENTS = 64;

/** Expected bytes of a movement in all pages, with compression by range. */
const EXPECTED_BYTES = 36;

/** Where a projector goes on. */
export interface ProjectorState {
  /** Of the newest segment in the store; 0 for none. */
  readonly segment: number;
  /** Movements in all segments, and the last frame in them. */
  readonly rows: number;
  readonly sequence: number;
  /** Time of the last movement in them, ms. */
  readonly timeMs: number;
  /** Segments, and accounts in them, since heads were stored. */
  readonly sinceHeads: { readonly segments: number; readonly accounts: number };
  /** By number of the account: newest segment, and SUM_WORDS sums. */
  readonly segments: Uint32Array<ArrayBuffer>;
  readonly sums: Uint32Array<ArrayBuffer>;
}

export interface ProjectorOptions {
  /** Movements of a segment, more or less: it ends with a frame. */
  readonly segmentRows: number;
}

/** What a projector is told. */
export type ProjectorRequest =
  | { readonly open: ProjectorState; readonly options: ProjectorOptions }
  | { readonly batch: FeedBatch }
  /** Makes a segment of all that was taken. */
  | { readonly seal: true }
  | { readonly stored: number }
  | { readonly accountLines: { readonly account: number; readonly range: LineRange }; readonly id: number }
  | {
      readonly referenceLines: { readonly reference: bigint; readonly range: LineRange };
      readonly id: number;
    };

/** What it tells. */
export type ProjectorReply =
  /** A batch was taken, up to this frame; its memory can be used again. */
  | { readonly taken: number; readonly words: Uint32Array<ArrayBuffer> }
  | { readonly sealed: SealedSegment }
  | { readonly found: Found; readonly id: number };

/** Lines that are not in the store yet, the newest first. */
export interface Found {
  readonly lines: readonly (Line | AccountLine)[];
  /** Movements before this number are in the store. */
  readonly storedRows: number;
  /** Newest segment of the account that is in the store; 0 if there is none. */
  readonly segment: number;
}

interface Unstored {
  readonly tail: Tail;
  readonly predecessors: Predecessors;
  /** Of its pages. */
  readonly memory: SharedArrayBuffer;
}

/**
 * Follows the journal: collects movements, makes segments of them, answers what is not in the store yet. No
 * I/O, no clock; it runs in a thread of its own, or in a simulation.
 */
export class Projector {
  readonly #tell: (reply: ProjectorReply) => void;
  readonly #heads = new AccountHeads();
  #options: ProjectorOptions = { segmentRows: 1 };
  #tail = new Tail(0);
  /** Memory of segments that are stored, for those to come: fresh memory costs more than filling it. */
  readonly #spareTails: Tail[] = [];
  readonly #sparePages: SharedArrayBuffer[] = [];
  #unstored: Unstored[] = [];
  #sinceHeads = { segments: 0, accounts: 0 };
  #batch: FeedBatch | undefined;
  /** Next mark of the batch at hand, and its first row. */
  #mark = 0;
  #row = 0;
  #sealAsked = false;

  constructor(tell: (reply: ProjectorReply) => void) {
    this.#tell = tell;
  }

  handle(request: ProjectorRequest): void {
    if ('open' in request) this.#open(request.open, request.options);
    else if ('batch' in request) this.#take(request.batch);
    else if ('seal' in request) this.#askSeal();
    else if ('stored' in request) this.#stored(request.stored);
    else this.#answer(request);
  }

  #open(state: ProjectorState, options: ProjectorOptions): void {
    this.#options = options;
    if (state.segments.length > 0) this.#heads.include(state.segments.length - 1);
    this.#heads.segments.set(state.segments);
    this.#heads.sums.set(state.sums);
    this.#sinceHeads = { ...state.sinceHeads };
    const { segment, rows: firstRow, sequence, timeMs } = state;
    this.#begin({ segment: segment + 1, firstRow, sequence, timeMs });
  }

  #begin(start: TailStart): void {
    const tail = this.#spareTails.pop() ?? new Tail(Math.min(this.#options.segmentRows, 2 ** 20));
    tail.begin(start);
    this.#tail = tail;
  }

  #take(batch: FeedBatch): void {
    assert(this.#batch === undefined, 'a projector takes one batch at a time');
    this.#batch = batch;
    this.#mark = 0;
    this.#row = 0;
    this.#work();
  }

  /** Takes frames while there is room for the segments that they make. */
  #work(): void {
    while (this.#batch && this.#unstored.length < MAX_UNSTORED) {
      if (MARK_FIELDS * this.#mark < this.#batch.marks.length) this.#takeFrame(this.#batch);
      else this.#taken(this.#batch);
    }
    // Asked after the batch: when a batch waits for room, so does this.
    if (this.#sealAsked && !this.#batch && this.#unstored.length < MAX_UNSTORED) {
      this.#sealAsked = false;
      this.#seal();
    }
  }

  #takeFrame({ words, marks }: FeedBatch): void {
    const [sequence = 0, timeMs = 0, to = 0] = marks.subarray(MARK_FIELDS * this.#mark);
    if (!this.#tail.spans(timeMs)) {
      this.#seal();
      return;
    }
    assert(sequence === this.#tail.sequence + 1, 'a projector takes frame after frame');
    this.#tail.append(this.#heads, { sequence, timeMs, words, from: this.#row, to });
    this.#row = to;
    this.#mark += 1;
    if (this.#tail.rows >= this.#options.segmentRows) this.#seal();
  }

  #taken({ words }: FeedBatch): void {
    this.#batch = undefined;
    this.#tell({ taken: this.#tail.sequence, words });
  }

  #askSeal(): void {
    this.#sealAsked = true;
    this.#work();
  }

  #seal(): void {
    const tail = this.#tail;
    if (tail.sequence === tail.start.sequence) return;
    const since = this.#sinceHeads;
    const accounts = since.accounts + tail.touched;
    const isDue = since.segments + 1 >= MIN_HEADS_SEGMENTS && accounts >= this.#heads.size;
    const hasHeads = isDue || since.segments + 1 >= MAX_HEADS_SEGMENTS;
    this.#sinceHeads = hasHeads ? { segments: 0, accounts: 0 } : { segments: since.segments + 1, accounts };
    const pages = new PageWriter(tail.rows * EXPECTED_BYTES, this.#sparePages.pop());
    const { sealed, predecessors } = sealSegment({ tail, heads: this.#heads, pages, hasHeads });
    this.#unstored.push({ tail, predecessors, memory: sealed.pages.bytes.buffer });
    const { segment, firstRow } = tail.start;
    const { rows, sequence, lastMs: timeMs } = tail;
    this.#begin({ segment: segment + 1, firstRow: firstRow + rows, sequence, timeMs });
    this.#tell({ sealed });
  }

  #stored(segment: number): void {
    const first = this.#unstored.shift();
    assert(first?.tail.start.segment === segment, 'segments are stored in their order');
    this.#spareTails.push(first.tail);
    this.#sparePages.push(first.memory);
    this.#work();
  }

  #answer(request: Extract<ProjectorRequest, { id: number }>): void {
    const tails = [...this.#unstored.map(({ tail }) => tail), this.#tail];
    const storedRows = tails[0]?.start.firstRow ?? 0;
    if ('accountLines' in request) {
      const { account, range } = request.accountLines;
      const lines = accountLines(tails, this.#heads, account, range);
      const found = { lines, storedRows, segment: this.#storedSegment(account) };
      this.#tell({ found, id: request.id });
      return;
    }
    const { reference, range } = request.referenceLines;
    const lines = referenceLines(tails, reference, range);
    this.#tell({ found: { lines, storedRows, segment: 0 }, id: request.id });
  }

  #storedSegment(account: number): number {
    let newest = this.#heads.segment(account);
    for (const { tail, predecessors } of this.#unstored.toReversed()) {
      if (newest === tail.start.segment) newest = before(predecessors, account);
    }
    return newest;
  }
}

function before({ accounts, segments }: Predecessors, account: number): number {
  let [low, high] = [0, accounts.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (u32(accounts, middle) < account) low = middle + 1;
    else high = middle;
  }
  assert(accounts[low] === account, 'a segment knows its accounts');
  return u32(segments, low);
}
