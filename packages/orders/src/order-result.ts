import { CodedError, errorCode } from '@clawbernetes/kernel';

/**
 * What became of an order. Codes are stored in journals: a number never changes its meaning. All but `ok`
 * mean that nothing was done, and that nothing of the order is remembered.
 */
export const ORDER_RESULTS = {
  ok: { code: 0, says: 'Done.' },
  'order-repeated': {
    code: 1,
    says: 'This very order was done before, and was not done again. Look at what it was about.',
  },
  'order-too-long': { code: 2, says: 'An order has at most 65,536 bytes. Split it into several.' },
  'order-malformed': {
    code: 3,
    says: 'It lacks a field, has one too many, or one of a wrong kind. Compare it with the form of its type.',
  },
  'order-not-canonical': {
    code: 4,
    says: 'It is not canonical JSON (RFC 8785). Write it with canonicalJson.',
  },
  'order-unknown': { code: 5, says: 'There is no such type of order. Ask a ledger of a newer version.' },
  'ledger-not-open': { code: 6, says: 'The ledger has no settings yet. Its first order is ledger-open.' },
  'ledger-already-open': { code: 7, says: 'The ledger has its settings, which stay as they are.' },
  'amount-malformed': {
    code: 8,
    says: 'An amount is a whole number of base units in the digits 0–9, without sign, point or leading zero.',
  },
  'amount-zero': { code: 9, says: 'The amount is more than nothing.' },
  'amount-too-large': { code: 10, says: 'An amount is below 2^63 base units.' },
  'id-malformed': { code: 11, says: 'An id is 32 lower-case hexadecimal digits.' },
  'id-too-old': {
    code: 12,
    says: 'A new id has its time, ms since 1970, in its upper 48 bits: of 24 hours, or less in a busy ledger. Make a new id.',
  },
  'id-in-future': {
    code: 13,
    says: 'The time inside the id is ahead of the ledger. Check the clock of whoever made it.',
  },
  'id-used': { code: 14, says: 'Something has this id already. Look it up, or make a new id.' },
  'address-malformed': {
    code: 15,
    says: 'An address is the base58 of a public key of 32 bytes, which somebody holds.',
  },
  'address-own': {
    code: 16,
    says: 'Funds do not leave to the account they come from. Name another address.',
  },
  'signature-missing': { code: 17, says: 'Somebody who has to sign has not. Get all signatures first.' },
  'signature-foreign': { code: 18, says: 'It was signed for another ledger. Sign it for this one.' },
  'signature-expired': { code: 19, says: 'It came after the time until which it was signed. Sign it again.' },
  'signature-not-yet-valid': {
    code: 20,
    says: 'It was signed in the future. Check the clock of whoever signed.',
  },
  'signature-forged': { code: 21, says: 'A signature is not that of its signer over this order.' },
  'signer-not-allowed': {
    code: 22,
    says: 'Somebody signed who has no say in this. Leave that signature out.',
  },
  'signer-twice': { code: 23, says: 'Somebody signed twice, which counts once. Leave one out.' },
  'nonce-replayed': {
    code: 24,
    says: 'The signer used this nonce before: a signature counts once. Sign with the next nonce.',
  },
  'nonce-out-of-order': {
    code: 25,
    says: 'The signer has used a later nonce here. Sign with one after that.',
  },
  'threshold-not-met': { code: 26, says: 'Fewer have signed than must. Get more signatures.' },
  'insufficient-funds': { code: 27, says: 'The account to pay from has less than that available.' },
  'account-frozen': { code: 28, says: 'An account it moves is frozen. Ask the operator of the ledger.' },
  'balance-too-large': { code: 29, says: 'A balance would reach 2^63 base units. Move less.' },
  'account-conflict': {
    code: 30,
    says: 'An account of another kind stands where this one belongs. Ask the operator of the ledger.',
  },
  'ledger-full': { code: 31, says: 'The ledger holds as much of this kind as it may. Try again later.' },
  'escrow-not-found': { code: 32, says: 'There is no such escrow, or it ended long ago.' },
  'escrow-wrong-state': {
    code: 33,
    says: 'The escrow is not in a state in which this can be done. Look at its state.',
  },
  'escrow-streaming': {
    code: 34,
    says: 'The escrow pays an agreement, receipt by receipt. Settle or close the agreement instead.',
  },
  'escrow-terms-invalid': {
    code: 35,
    says: 'The terms contradict each other: parties, signers and thresholds, deadline, or slashable amount.',
  },
  'escrow-over': { code: 36, says: 'The time of the escrow is over. It settles as its terms say.' },
  'provider-without-stake': {
    code: 37,
    says: 'The provider has less at stake than providers must. He deposits stake first.',
  },
  'release-not-allowed': {
    code: 38,
    says: 'By its terms only time settles this escrow. Wait for its deadline.',
  },
  'amount-exceeds-escrow': { code: 39, says: 'That is more than the escrow holds for this. Name less.' },
  'dispute-open': { code: 40, says: 'A dispute is open. Its arbiters resolve it first.' },
  'dispute-not-found': { code: 41, says: 'No dispute is open about this escrow.' },
  'dispute-window-over': {
    code: 42,
    says: 'Nothing of this escrow is held any more: what was paid can be disputed for 24 hours.',
  },
  'split-wrong': {
    code: 44,
    says: 'The parts are not, together, what is contested. A provider contests all that is locked.',
  },
  'slash-exceeds-limit': {
    code: 45,
    says: 'That is more than the provider agreed to answer for, or has at stake. Slash less.',
  },
  'stake-insufficient': { code: 46, says: 'Less is at stake than that. Look at the stake.' },
  'stake-in-dispute': {
    code: 47,
    says: 'While a dispute is open, stake stays within its tier. Wait until it is resolved.',
  },
  'too-many-unbondings': { code: 48, says: 'Too much unbonds already. Wait for the first to be through.' },
  'agreement-not-found': { code: 49, says: 'There is no such agreement, or it ended long ago.' },
  'agreement-terms-invalid': {
    code: 50,
    says: 'The terms do not fit: a rate above zero, windows of 1 s to 5 min, and an escrow of the same parties.',
  },
  'agreement-closed': { code: 51, says: 'The agreement is closed or closing.' },
  'receipt-out-of-order': {
    code: 52,
    says: 'A later receipt was settled already. Nothing is left to settle.',
  },
  'receipt-conflict': {
    code: 53,
    says: 'Another receipt of this number was settled. Its signers have signed two; show both in a dispute.',
  },
  'receipt-chain-broken': {
    code: 54,
    says: 'It does not follow the receipt before it: its prevHash differs.',
  },
  'receipt-amount-wrong': {
    code: 55,
    says: 'Its amount is not the rate times its active time, or less than a receipt before it.',
  },
  'receipt-time-wrong': {
    code: 56,
    says: 'It counts more time than has passed since the origin, or lies in the future.',
  },
  'receipts-differ': {
    code: 57,
    says: 'Receipts settled in one order have one buyer and one provider, and one per agreement.',
  },
  'too-many-claims': {
    code: 58,
    says: 'Too many payments of this escrow are still held. Settle less often.',
  },
  'top-up-limit-invalid': {
    code: 59,
    says: 'A limit for top-ups lasts into the future; its amount is within its total, and pays for a minute at least.',
  },
  'withdrawal-not-found': { code: 60, says: 'There is no such withdrawal, or it ended long ago.' },
  'withdrawal-wrong-state': { code: 61, says: 'The withdrawal was sent, confirmed or returned before.' },
  'faucet-closed': { code: 63, says: 'Only development networks have a faucet. Deposit tokens instead.' },
  'faucet-exhausted': { code: 64, says: 'The faucet has given its limit for 24 hours. Come back later.' },
  'id-foreign': {
    code: 65,
    says: 'After its 12 digits of time, an id has the first 16 of a signer’s public key. Make an id of your own.',
  },
  'too-many-openings': {
    code: 66,
    says: 'As many accounts as may be were opened for nothing in 24 hours. Be paid by an order, or come back later.',
  },
  'too-many-withdrawals': {
    code: 67,
    says: 'Too many withdrawals of yours are on their way. Wait until the first have arrived, and withdraw more at once.',
  },
  'amount-too-small': {
    code: 68,
    says: 'An escrow, what a release leaves in it, and withdrawals beside another come to minEscrow at least. Move more at once.',
  },
  'payments-too-small': {
    code: 69,
    says: 'Payments of an escrow that are held come to minEscrow each, but for one. Pay more at once, or later.',
  },
  'reference-used': {
    code: 70,
    says: 'In the last 7 days another deposit was booked with this reference. Compare the two: each payment has its own.',
  },
} as const satisfies Record<string, { code: number; says: string }>;

export type OrderResultName = keyof typeof ORDER_RESULTS;

const names = new Map<number, OrderResultName>(
  (Object.keys(ORDER_RESULTS) as OrderResultName[]).map((name) => [ORDER_RESULTS[name].code, name]),
);

export function orderResultName(code: number): OrderResultName | undefined {
  return names.get(code);
}

function isOrderResult(code: string): code is OrderResultName {
  return Object.hasOwn(ORDER_RESULTS, code);
}

/** Ends an order before it has done anything. */
export function refuse(code: OrderResultName): never {
  throw new CodedError(ORDER_RESULTS[code].says, { code });
}

export function check(holds: boolean, otherwise: OrderResultName): asserts holds {
  if (!holds) refuse(otherwise);
}

/** Why an order was refused; undefined for errors that are no refusal. */
export function refusalOf(error: unknown): OrderResultName | undefined {
  const code = errorCode(error);
  return code !== undefined && isOrderResult(code) ? code : undefined;
}
