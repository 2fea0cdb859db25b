import type { LedgerMachine } from '../machine/ledger-machine.ts';

/** Something that is not as it should be; `sequence` is the frame at which it was found. */
export interface Discrepancy {
  readonly kind:
    | 'frame-missing'
    | 'frame-damaged'
    | 'answers-differ'
    | 'signature-invalid'
    | 'checkpoint-differs'
    | 'ids-differ'
    | 'money-made-or-lost'
    | 'promise-uncovered';
  readonly sequence: number;
  readonly message: string;
}

/** Of one asset, base units as decimal strings. */
export interface AssetTotals {
  readonly asset: number;
  readonly accounts: number;
  /** Below zero: what the accounts that issue it have given out. */
  readonly issued: string;
  /** What all others hold; equal to what is issued. */
  readonly held: string;
  /** Reserved by transfers that are still pending. */
  readonly pending: string;
}

export interface AuditReport {
  /** SHA-256 over the chain hash and the whole state: equal for equal histories, on any engine. */
  readonly stateHash: string;
  readonly totals: {
    readonly frames: number;
    readonly operations: number;
    readonly signatures: number;
    readonly accounts: number;
    readonly pendingTransfers: number;
    readonly assets: readonly AssetTotals[];
  };
  /** Empty for a ledger that is right. */
  readonly discrepancies: readonly Discrepancy[];
}

export function assetTotals(machine: LedgerMachine): readonly AssetTotals[] {
  const totals = new Map<number, { accounts: number; issued: bigint; held: bigint; pending: bigint }>();
  for (const { asset, creditsPosted, debitsPosted, debitsPending } of machine.accounts()) {
    const sums = totals.get(asset) ?? { accounts: 0, issued: 0n, held: 0n, pending: 0n };
    const balance = creditsPosted - debitsPosted;
    sums.accounts += 1;
    sums.pending += debitsPending;
    if (balance < 0n) sums.issued += balance;
    else sums.held += balance;
    totals.set(asset, sums);
  }
  return [...totals]
    .toSorted(([left], [right]) => left - right)
    .map(([asset, { accounts, issued, held, pending }]) => {
      return { asset, accounts, issued: String(issued), held: String(held), pending: String(pending) };
    });
}
