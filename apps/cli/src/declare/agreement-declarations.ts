import { Option, type Command } from 'commander';
import { AGREEMENT_ROLES, FUNDS_STATES } from '@clawbernetes/protocol/money-states';
import { declare, type Runtime } from './declaration.ts';
import { listOptions } from './list-options.ts';
import { moltAmount, moltRate, orderId } from './molt-values.ts';
import { duration, oneOf } from './option-values.ts';
import { saveOption, signingOptions } from './signing-options.ts';

const DAY_MS = 86_400_000;

export function declareAgreementCommands(agreement: Command, runtime: Runtime): void {
  declareOpening(agreement, runtime);
  declareViews(agreement, runtime);
  declareFunds(agreement, runtime);
  declare(agreement, runtime, {
    usage: 'close <agreement>',
    summary: 'end it: an hour later by yourself, at once with the other’s signature',
    options: [...signingOptions(), saveOption()],
    examples: ['molt agreement close 019a8f…', 'molt agreement close 019a8f… --save close.json'],
    load: async () => (await import('../commands/molt/agreement.ts')).closeAgreement,
  });
}

function declareOpening(agreement: Command, runtime: Runtime): void {
  declare(agreement, runtime, {
    usage: 'open <escrow>',
    summary: 'pay a funded escrow by the time used; both parties sign',
    options: [
      new Option('--rate <price>', 'tokens per s, min, h or d, such as 1.5/h')
        .argParser(moltRate)
        .makeOptionMandatory(),
      new Option('--window <duration>', 'how often a receipt is due, 1s to 5m')
        .argParser(duration)
        .default(10_000, '10s'),
      new Option('--id <id>', 'id of the agreement: the same one is made once').argParser(orderId),
      ...signingOptions(),
      new Option('--save <file>', 'the signed order, for the other party to sign').makeOptionMandatory(),
    ],
    examples: [
      'molt agreement open 019a8f… --rate 1.5/h --save open.json',
      'molt sign open.json   # the other party',
    ],
    load: async () => (await import('../commands/molt/agreement.ts')).openAgreement,
  });
}

function declareViews(agreement: Command, runtime: Runtime): void {
  declare(agreement, runtime, {
    usage: 'show <agreement>',
    summary: 'what was paid and is owed, and how long its funds last; needs no passphrase',
    examples: ['molt agreement show 019a8f…'],
    load: async () => (await import('../commands/molt/agreement.ts')).showAgreement,
  });
  declare(agreement, runtime, {
    usage: 'list [address]',
    summary: 'agreements of an owner, the newest first; needs no passphrase',
    options: [
      new Option('--funds <state>', 'only active, low, grace, frozen or closed').argParser(
        oneOf(...FUNDS_STATES),
      ),
      new Option('--role <role>', 'only as buyer or provider').argParser(oneOf(...AGREEMENT_ROLES)),
      ...listOptions(),
    ],
    examples: ['molt agreement list', 'molt agreement list --funds low --role buyer'],
    load: async () => (await import('../commands/molt/agreement-list.ts')).listAgreements,
  });
}

function declareFunds(agreement: Command, runtime: Runtime): void {
  declare(agreement, runtime, {
    usage: 'top-up <agreement>',
    summary: 'lock more tokens for it, as the buyer',
    options: [
      new Option('--amount <molt>', 'how much').argParser(moltAmount).makeOptionMandatory(),
      ...signingOptions(),
    ],
    examples: ['molt agreement top-up 019a8f… --amount 5'],
    load: async () => (await import('../commands/molt/agreement.ts')).topUpAgreement,
  });
  declare(agreement, runtime, {
    usage: 'auto-top-up <agreement>',
    summary: 'let the ledger lock more as funds run low, within a limit',
    options: [
      new Option('--each <molt>', 'how much at a time').argParser(moltAmount),
      new Option('--total <molt>', 'how much in all').argParser(moltAmount),
      new Option('--for <duration>', 'for how long').argParser(duration).default(7 * DAY_MS, '7d'),
      new Option('--off', 'end it'),
      ...signingOptions(),
    ],
    examples: [
      'molt agreement auto-top-up 019a8f… --each 5 --total 50 --for 2d',
      'molt agreement auto-top-up 019a8f… --off',
    ],
    load: async () => (await import('../commands/molt/agreement.ts')).limitTopUps,
  });
}
