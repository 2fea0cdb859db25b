/** How far one stream of a container's output was read. */
export interface StreamPosition {
  /**
   * The engine's time of the stream's very first entry, where known: tells whether it still has the
   * beginning.
   */
  readonly first?: string | undefined;
  /**
   * Time of the last entry that was read, as the engine wrote it, and how many bytes of entries with exactly
   * this time. Of output that came without the engine's times: when it came, and no bytes.
   */
  readonly at: string;
  readonly atBytes: number;
  /** Of the engine's log, since its beginning. */
  readonly bytes: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * Reads one stream of an engine's log again from where it starts now, and answers only what is new. While the
 * engine has the log from its beginning, bytes are counted: exact, whatever its clock did. Once it rotated
 * the beginning away, entries are found by their times, which rise within one stream (pieces of one long line
 * share theirs).
 */
export class StreamCursor {
  readonly #resumed: StreamPosition | undefined;
  readonly #known: number;
  #position: StreamPosition | undefined;
  /** Bytes still to be passed over. */
  #skip = 0;
  #gap = false;
  #begunByTime = false;
  #newSince: string | undefined;

  /**
   * `known`: how many bytes of the engine's log the reader has; the position may lag behind it a little.
   * `newSince`: when the engine died, for entries of this time and later are new even if fewer bytes came
   * before: what it held of an unfinished line died with it, although the reader got it.
   */
  constructor(resumed: StreamPosition | undefined, known: number, newSince?: string) {
    this.#resumed = resumed;
    this.#known = known;
    this.#newSince = newSince;
  }

  /** How many bytes of the engine's log the reader has now. */
  get known(): number {
    return this.#position === undefined ? this.#known : this.#position.bytes + this.#skip;
  }

  /** Undefined once an entry of that time came. */
  get newSince(): string | undefined {
    return this.#newSince;
  }

  /** Undefined until an entry came. */
  get position(): StreamPosition | undefined {
    return this.#position ?? this.#resumed;
  }

  /** Whether output may be missing or come twice where reading was resumed. */
  get gap(): boolean {
    return this.#gap;
  }

  /** The part of an entry that the reader does not have. */
  take(at: string, payload: Buffer): Buffer {
    const position = this.#position ?? this.#begin(at);
    this.#position = position;
    if (this.#begunByTime && compareTimes(at, position.at) < 0) return NOTHING;
    const sameTime = at === position.at;
    this.#position = {
      first: position.first,
      at,
      atBytes: (sameTime ? position.atBytes : 0) + payload.length,
      bytes: position.bytes + payload.length,
    };
    this.#endSkip(at);
    const skipped = Math.min(this.#skip, payload.length);
    this.#skip -= skipped;
    return payload.subarray(skipped);
  }

  #endSkip(at: string): void {
    if (this.#newSince === undefined || compareTimes(at, this.#newSince) < 0) return;
    this.#newSince = undefined;
    this.#skip = 0;
  }

  #begin(at: string): StreamPosition {
    const resumed = this.#resumed;
    if (resumed?.first === undefined || resumed.first === at) {
      this.#skip = this.#known;
      return { first: at, at, atBytes: 0, bytes: 0 };
    }
    this.#begunByTime = true;
    if (resumed.atBytes === 0 || compareTimes(at, resumed.at) > 0) {
      this.#gap = true;
      return { ...resumed, atBytes: 0, bytes: this.#known };
    }
    this.#skip = resumed.atBytes + Math.max(0, this.#known - resumed.bytes);
    return { ...resumed, atBytes: 0, bytes: resumed.bytes - resumed.atBytes };
  }
}

/**
 * Orders RFC 3339 times with up to nine decimals; Docker writes all nine and `Z`, Podman fewer and the local
 * zone.
 */
export function compareTimes(left: string, right: string): number {
  if (left === right) return 0;
  if (left.length === right.length && left.endsWith('Z') && right.endsWith('Z')) return left < right ? -1 : 1;
  const [leftSeconds, leftFraction] = timeParts(left);
  const [rightSeconds, rightFraction] = timeParts(right);
  return leftSeconds - rightSeconds || leftFraction - rightFraction;
}

/** Seconds since 1970 with nine decimals, as engines take times in queries. */
export function unixTime(time: string): string {
  const [milliseconds, nanoseconds] = timeParts(time);
  return `${Math.floor(milliseconds / 1000)}.${String(nanoseconds).padStart(9, '0')}`;
}

function timeParts(time: string): [number, number] {
  const [, start = '', fraction = '', zone = ''] =
    /^([^.Z+]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time) ?? [];
  return [Date.parse(`${start}${zone}`), Number(fraction.padEnd(9, '0'))];
}
