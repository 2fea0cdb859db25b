import { Option, type Command } from 'commander';
import { ESCROW_ROLES, ESCROW_STATES } from '@clawbernetes/protocol/money-states';
import { declare, type Runtime } from './declaration.ts';
import { listOptions } from './list-options.ts';
import { moltAmount, moltAmountOrZero, orderId, sha256 } from './molt-values.ts';
import { duration, oneOf, repeated, wholeNumber } from './option-values.ts';
import { saveOption, signingOptions } from './signing-options.ts';

export function declareEscrowCommands(escrow: Command, runtime: Runtime): void {
  declareNewEscrow(escrow, runtime);
  declareEscrowList(escrow, runtime);
  declareSettlement(escrow, runtime);
  declareDisputes(escrow, runtime);
}

function declareNewEscrow(escrow: Command, runtime: Runtime): void {
  declare(escrow, runtime, {
    usage: 'create',
    summary: 'lock tokens for a provider before work starts',
    options: [
      new Option('--provider <address>', 'who earns them').makeOptionMandatory(),
      new Option('--amount <molt>', 'how much is locked').argParser(moltAmount).makeOptionMandatory(),
      new Option('--release <rule>', 'who may release: single, both, arbiters, or time-lock')
        .argParser(oneOf('single', 'both', 'arbiters', 'time-lock'))
        .default('single'),
      new Option('--releaser <address>', 'of "single" (default: you)'),
      new Option('--arbiter <address>', 'resolves disputes; may be repeated').argParser(repeated),
      new Option('--threshold <n>', 'how many arbiters have to agree (default: most)').argParser(wholeNumber),
      new Option('--deadline <duration>', 'when it settles by itself (default: 7d)').argParser(duration),
      new Option('--on-deadline <ending>', 'release or refund')
        .argParser(oneOf('release', 'refund'))
        .default('refund'),
      new Option('--terms <sha256>', 'hash of what was agreed').argParser(sha256),
      new Option('--no-fund', 'make it only; "escrow fund" locks the tokens within an hour'),
      new Option('--id <id>', 'id of the escrow: the same one is made once').argParser(orderId),
      ...signingOptions(),
      saveOption(),
    ],
    examples: [
      'molt escrow create --provider 9xQe… --amount 12.5',
      'molt escrow create --provider 9xQe… --amount 100 --release both --deadline 2d',
      'molt escrow create --provider 9xQe… --amount 100 --release arbiters --arbiter A… --arbiter B… --arbiter C…',
    ],
    load: async () => (await import('../commands/molt/escrow.ts')).createEscrow,
  });
  declare(escrow, runtime, {
    usage: 'fund <escrow>',
    summary: 'lock the tokens of an escrow that was made without',
    options: signingOptions(),
    examples: ['molt escrow fund 019a8f…'],
    load: async () => (await import('../commands/molt/escrow.ts')).fundEscrow,
  });
  declare(escrow, runtime, {
    usage: 'show <escrow>',
    summary: 'terms, state, and what of it is still held; needs no passphrase',
    examples: ['molt escrow show 019a8f… -f json'],
    load: async () => (await import('../commands/molt/escrow.ts')).showEscrow,
  });
}

function declareEscrowList(escrow: Command, runtime: Runtime): void {
  declare(escrow, runtime, {
    usage: 'list [address]',
    summary: 'escrows in which an owner has a part, the newest first; needs no passphrase',
    options: [
      new Option(
        '--state <state>',
        'only created, funded, completed, disputed, released, refunded, …',
      ).argParser(oneOf(...ESCROW_STATES)),
      new Option('--role <role>', 'only as buyer, provider, releaser or arbiter').argParser(
        oneOf(...ESCROW_ROLES),
      ),
      ...listOptions(),
    ],
    examples: [
      'molt escrow list',
      'molt escrow list --state funded --role provider',
      'molt escrow list 9xQe… -f json',
    ],
    load: async () => (await import('../commands/molt/escrow-list.ts')).listEscrows,
  });
}

function declareSettlement(escrow: Command, runtime: Runtime): void {
  declare(escrow, runtime, {
    usage: 'complete <escrow>',
    summary: 'say that the work is done, as the provider',
    options: [
      new Option('--result <sha256>', 'hash of the result').argParser(sha256),
      ...signingOptions(),
      saveOption(),
    ],
    examples: ['molt escrow complete 019a8f…'],
    load: async () => (await import('../commands/molt/escrow.ts')).completeEscrow,
  });
  declare(escrow, runtime, {
    usage: 'release <escrow>',
    summary: 'pay the provider, wholly or in part',
    options: [
      new Option('--amount <molt>', 'only so much; the rest stays locked').argParser(moltAmount),
      ...signingOptions(),
      saveOption(),
    ],
    examples: [
      'molt escrow release 019a8f…',
      'molt escrow release 019a8f… --amount 5',
      'molt escrow release 019a8f… --save release.json',
    ],
    load: async () => (await import('../commands/molt/escrow.ts')).releaseEscrow,
  });
  declare(escrow, runtime, {
    usage: 'refund <escrow>',
    summary: 'give what is locked back to the buyer',
    options: [...signingOptions(), saveOption()],
    examples: ['molt escrow refund 019a8f…'],
    load: async () => (await import('../commands/molt/escrow.ts')).refundEscrow,
  });
}

function declareDisputes(escrow: Command, runtime: Runtime): void {
  declare(escrow, runtime, {
    usage: 'dispute <escrow>',
    summary: 'contest what is locked, or what was paid in the last 24 hours',
    options: [
      new Option('--reason <text>', 'why, for the arbiters').makeOptionMandatory(),
      new Option('--amount <molt>', 'only so much').argParser(moltAmount),
      ...signingOptions(),
    ],
    examples: ['molt escrow dispute 019a8f… --reason "half of the files are empty" --amount 5'],
    load: async () => (await import('../commands/molt/escrow.ts')).disputeEscrow,
  });
  declare(escrow, runtime, {
    usage: 'resolve <escrow>',
    summary: 'split what is contested, as an arbiter',
    options: [
      new Option('--to-buyer <molt>', 'of what is contested')
        .argParser(moltAmountOrZero)
        .makeOptionMandatory(),
      new Option('--to-provider <molt>', 'the rest of it').argParser(moltAmountOrZero).makeOptionMandatory(),
      new Option('--slash <molt>', 'of the provider’s stake, as far as he agreed to').argParser(moltAmount),
      new Option('--slash-to <who>', 'buyer or treasury')
        .argParser(oneOf('buyer', 'treasury'))
        .default('treasury'),
      ...signingOptions(),
      saveOption(),
    ],
    examples: ['molt escrow resolve 019a8f… --to-buyer 3 --to-provider 2 --save resolution.json'],
    load: async () => (await import('../commands/molt/escrow.ts')).resolveEscrow,
  });
}
