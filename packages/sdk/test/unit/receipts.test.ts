// Shows that a receipt passes from provider to buyer as JSON, that the buyer signs only what follows from all
// that he knows, and that each other receipt is refused with its reason.
import { addressOf, generateKeyPair } from '@clawbernetes/identity';
import { MOLT, RATE_SCALE, systemRandom } from '@clawbernetes/kernel';
import { describe, expect, it } from 'vitest';
import {
  checkProposal,
  countersignReceipt,
  NO_LOG_ROOT,
  placeOf,
  proposeReceipt,
  readSignedReceipt,
  receiptJson,
  settlementOf,
  signaturesOf,
  type AgreementView,
  type ProposalFacts,
  type ProposalPlace,
  type SignedReceipt,
} from '../../src/receipts.ts';

const provider = generateKeyPair(systemRandom);
const buyer = generateKeyPair(systemRandom);
const stranger = generateKeyPair(systemRandom);
const [PROVIDER, BUYER] = [addressOf(provider.publicKey), addressOf(buyer.publicKey)];
const LEDGER = 'gw-1';
const HOUR_MS = 3_600_000;
const AGREEMENT = '01'.repeat(16);

/** 1 MOLT an hour, since 0. */
function agreementAt(timeMs: number, change: Partial<AgreementView> = {}): AgreementView {
  return {
    agreement: AGREEMENT,
    escrow: '02'.repeat(16),
    buyer: BUYER,
    provider: PROVIDER,
    state: 'open',
    funds: 'active',
    rate: String((MOLT * RATE_SCALE) / 3600n + 1n),
    windowMs: 10_000,
    originMs: 0,
    pausedMs: 0,
    activeMs: timeMs,
    funded: '40000000000',
    paid: '0',
    owed: '0',
    remaining: '40000000000',
    refunded: '0',
    exhaustedAtMs: 40 * HOUR_MS,
    deadlineMs: 100 * HOUR_MS,
    timeMs,
    ...change,
  };
}

function proposed(hours: number, change: Partial<ProposalPlace> = {}, key = provider): SignedReceipt {
  const timeMs = hours * HOUR_MS;
  const place = { ledgerId: LEDGER, agreement: agreementAt(timeMs), before: undefined, timeMs, ...change };
  return proposeReceipt(key, place, { meters: metersOf(timeMs), health: 'ok', logRoot: NO_LOG_ROOT });
}

function metersOf(activeMs: number) {
  return { activeMs, cpuMs: 7n, gpuMs: undefined, bytesIn: undefined, bytesOut: undefined };
}

function refusal(signed: SignedReceipt, change: Partial<ProposalFacts> = {}): string {
  const agreement = agreementAt(10 * HOUR_MS);
  const facts = { ledgerId: LEDGER, agreement, buyer: BUYER, before: undefined, timeMs: 10 * HOUR_MS };
  try {
    checkProposal(signed, { ...facts, ...change });
    return 'ok';
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}

const first = proposed(1);
const second = proposed(2, { before: placeOf(first.receipt) });

/** A first one of any time and active time. */
function altered({ meters, timeMs }: Pick<SignedReceipt['receipt'], 'meters' | 'timeMs'>): SignedReceipt {
  const place = { ledgerId: LEDGER, agreement: agreementAt(0), before: undefined, timeMs };
  return proposeReceipt(provider, place, { meters, health: 'ok', logRoot: NO_LOG_ROOT });
}

describe('a receipt', () => {
  it('comes to the rate times the active time, travels as JSON, and is signed by both', () => {
    expect(first.receipt).toMatchObject({ n: 1, cumulativeAmount: MOLT, buyer: BUYER, provider: PROVIDER });
    const arrived = readSignedReceipt(JSON.parse(JSON.stringify(receiptJson(first))));
    expect(arrived).toEqual(first);
    expect(refusal(arrived)).toBe('ok');
    expect(signaturesOf(arrived)).toEqual({ provider: 'valid', buyer: 'missing' });
    const both = countersignReceipt(buyer, arrived);
    expect(signaturesOf(both)).toEqual({ provider: 'valid', buyer: 'valid' });
    expect(settlementOf([both])).toEqual({
      type: 'agreement-settle',
      body: { receipts: [JSON.parse(JSON.stringify(receiptJson(both)))] },
      signatures: [],
    });
  });

  it('follows the one before, or any later one where some were lost', () => {
    expect(refusal(second, { before: first.receipt })).toBe('ok');
    expect(refusal(second)).toBe('ok');
    const fourth = proposed(4, { before: { n: 3, hash: 'ab'.repeat(32) } });
    expect(refusal(fourth, { before: first.receipt })).toBe('ok');
    expect(refusal(second, { before: second.receipt })).toBe('ok');
  });

  it.each([
    null,
    [],
    7,
    {},
    { receipt: {} },
    { ...receiptJson(first), more: 1 },
    { ...receiptJson(first), receipt: 1 },
  ])('that is %j is none', (outside) => {
    expect(() => readSignedReceipt(outside)).toThrow(expect.objectContaining({ code: 'receipt-malformed' }));
  });
});

describe('a buyer refuses', () => {
  const before = second.receipt;
  const settled = { ...placeOf(before), cumulativeAmount: String(2n * MOLT), activeMs: 2 * HOUR_MS };
  const other = proposed(3, { before: placeOf(first.receipt) });
  const unchained = proposed(3, { before: { n: 2, hash: 'ab'.repeat(32) } });
  const paused = altered({ meters: metersOf(0), timeMs: HOUR_MS });
  const cases: readonly [string, string, SignedReceipt, Partial<ProposalFacts>][] = [
    ['an older one than he signed', 'receipt-out-of-order', first, { before }],
    [
      'an older one than was settled',
      'receipt-out-of-order',
      first,
      { agreement: agreementAt(0, { last: settled }) },
    ],
    ['another of the same number', 'receipt-conflict', other, { before }],
    ['a wrong hash of the one before', 'receipt-chain-broken', unchained, { before }],
    ['a later one of less', 'receipt-amount-wrong', proposed(1, { before: placeOf(before) }), { before }],
    ['one from the future', 'receipt-time-wrong', proposed(20), {}],
    [
      'more active time than has passed',
      'receipt-time-wrong',
      altered({ meters: metersOf(2 * HOUR_MS), timeMs: HOUR_MS }),
      {},
    ],
    [
      'what was paused, afterwards',
      'receipt-time-wrong',
      proposed(2, { before: placeOf(paused.receipt) }),
      { before: paused.receipt },
    ],
    ['more than he measured', 'receipt-time-wrong', second, { maxActiveMs: HOUR_MS }],
    ['more than he allows', 'receipt-amount-wrong', second, { maxAmount: MOLT }],
    [
      'one that somebody has changed',
      'signature-forged',
      { ...second, receipt: { ...before, cumulativeAmount: 1n } },
      {},
    ],
    [
      'one that somebody else signed',
      'signature-forged',
      { ...second, providerSignature: first.providerSignature },
      {},
    ],
    ['one by somebody else', 'signer-not-allowed', proposed(1, {}, stranger), {}],
    ['one for another buyer', 'signer-not-allowed', second, { buyer: PROVIDER }],
    [
      'one of another agreement',
      'signer-not-allowed',
      second,
      { agreement: agreementAt(0, { agreement: '03'.repeat(16) }) },
    ],
    ['one for another ledger', 'signature-foreign', second, { ledgerId: 'gw-2' }],
    ['one of what is closed', 'agreement-closed', second, { agreement: agreementAt(0, { state: 'closed' }) }],
    [
      'another amount than the rate makes',
      'receipt-amount-wrong',
      second,
      { agreement: agreementAt(0, { rate: '5' }) },
    ],
  ];

  it.each(cases)('%s: %s', (_name, code, signed, facts) => {
    expect(refusal(signed, facts)).toBe(code);
  });
});
