/**
 * What became of one item of a batch. Codes are stored in journals: a number never changes its meaning. After
 * TigerBeetle's `CreateTransferResult`, with our own names where ours mean something else.
 *
 * `final` failures depend on the state, which changes: their answer is remembered under the id, so that a
 * repeat gets the same one, unless its signer owns no account. The id of any other failure stays free.
 */
export const RESULTS = {
  ok: { code: 0, final: false, says: 'Done.' },
  'linked-event-failed': {
    code: 1,
    final: false,
    says: 'Another item of its linked chain failed, so nothing of the chain was done.',
  },
  'linked-event-chain-open': {
    code: 2,
    final: false,
    says: 'The last item of a batch is marked as linked to a next one, which is not there.',
  },
  'id-zero': { code: 3, final: false, says: 'An id of zero is not an id.' },
  'id-conflict': {
    code: 4,
    final: false,
    says: 'The id was used before, for something else. Take a new id, or repeat exactly what was asked then.',
  },
  'id-too-old': {
    code: 5,
    final: false,
    says: 'The time inside the id is before all that is remembered, so a repeat could not be told. Take a new id.',
  },
  'id-in-future': {
    code: 6,
    final: false,
    says: 'The time inside the id is too far ahead of the ledger. Check the clock of whoever made it.',
  },
  'flags-invalid': { code: 7, final: false, says: 'Its flags are unknown or contradict each other.' },
  'fields-not-empty': {
    code: 8,
    final: false,
    says: 'A field has a value that means nothing for an item of this kind.',
  },
  'asset-zero': { code: 9, final: false, says: 'An account needs an asset.' },
  'code-zero': { code: 10, final: false, says: 'An account or transfer needs a code that says what it is.' },
  'amount-zero': { code: 11, final: false, says: 'A transfer moves more than nothing.' },
  'amount-too-large': { code: 12, final: false, says: 'An amount is below 2^63 base units.' },
  'accounts-same': { code: 13, final: false, says: 'A transfer is between two accounts.' },
  'debit-account-not-found': { code: 14, final: true, says: 'The account to pay from does not exist.' },
  'credit-account-not-found': { code: 15, final: true, says: 'The account to pay to does not exist.' },
  'assets-differ': { code: 16, final: false, says: 'The two accounts hold different assets.' },
  'debit-account-frozen': { code: 17, final: true, says: 'The account to pay from is frozen.' },
  'credit-account-frozen': { code: 18, final: true, says: 'The account to pay to is frozen.' },
  'insufficient-funds': {
    code: 19,
    final: true,
    says: 'It would take the account to pay from below its floor.',
  },
  'balance-too-large': {
    code: 20,
    final: true,
    says: 'A balance, with what is pending, would reach 2^63 base units.',
  },
  'pending-not-found': { code: 21, final: true, says: 'There is no pending transfer with this id.' },
  'pending-already-posted': { code: 22, final: true, says: 'The pending transfer has been posted.' },
  'pending-already-voided': { code: 23, final: true, says: 'The pending transfer has been voided.' },
  'pending-expired': {
    code: 24,
    final: true,
    says: 'The pending transfer ran out of time; its funds are free.',
  },
  'pending-amount-exceeded': { code: 25, final: true, says: 'More would be posted than is pending.' },
  'not-authorized': {
    code: 26,
    final: false,
    says: 'Whoever signed the request may not do this with this account.',
  },
  'too-many-accounts': { code: 27, final: true, says: 'The ledger holds its limit of accounts.' },
  'too-many-pending': { code: 28, final: true, says: 'The ledger holds its limit of pending transfers.' },
  'account-not-found': { code: 29, final: true, says: 'The account does not exist.' },
  'request-expired': {
    code: 30,
    final: false,
    says: 'The request came after the time until which it was signed. Sign it again.',
  },
  'nonce-used': {
    code: 31,
    final: false,
    says: 'Its signer has made a later request, or another one with this nonce: this is a repeat or out of order.',
  },
  'id-foreign': {
    code: 32,
    final: false,
    says: 'Bits 16–79 of an id are the first 64 bits of its signer’s public key. Take an id of your own.',
  },
  'account-by-order': {
    code: 33,
    final: false,
    says: 'Accounts are opened by orders and by the ledger itself. Sign the order account-open.',
  },
} as const satisfies Record<string, { code: number; final: boolean; says: string }>;

export type ResultName = keyof typeof RESULTS;

const names = Object.keys(RESULTS) as ResultName[];
const byCode = new Map<number, ResultName>(names.map((name) => [RESULTS[name].code, name]));
/** Indexed by code: 1 where the answer is remembered. */
const final = Uint8Array.from(names, (name) => (RESULTS[name].final ? 1 : 0));

export function resultName(code: number): ResultName | undefined {
  return byCode.get(code);
}

export function isFinalFailure(code: number): boolean {
  return final[code] === 1;
}
