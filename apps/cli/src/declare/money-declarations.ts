import { Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { orderId } from './molt-values.ts';
import { saveOption, signingOptions } from './signing-options.ts';
import { walletOption } from './wallet-declarations.ts';

/** What an owner does with his tokens. */
export function declareMoneyCommands(molt: Command, runtime: Runtime): void {
  declare(molt, runtime, {
    usage: 'balance [address]',
    summary: 'what a wallet or an address has; needs no passphrase',
    options: [walletOption()],
    examples: ['molt balance', 'molt balance -w trading -f json'],
    load: async () => (await import('../commands/molt/balance.ts')).showBalance,
  });
  declare(molt, runtime, {
    usage: 'withdraw [amount]',
    summary: 'send tokens out of the ledger: free with the next batch, or instantly for a fee',
    options: [
      new Option('--to <address>', 'who gets them').makeOptionMandatory(),
      new Option('--all', 'everything that is available'),
      new Option('--instant', 'at once; the fee depends on the tier of your stake'),
      new Option('--id <id>', 'id of the withdrawal: the same one is done once').argParser(orderId),
      ...signingOptions(),
    ],
    examples: [
      'molt withdraw 12.5 --to 9xQe…',
      'molt withdraw --all --to 9xQe… --instant',
      'molt withdraw 5 --to 9xQe… --yes --passphrase-file ~/.passphrase -f json',
    ],
    load: async () => (await import('../commands/molt/withdraw.ts')).withdraw,
  });
  declare(molt, runtime, {
    usage: 'withdrawal <id>',
    summary: 'what became of a withdrawal',
    examples: ['molt withdrawal 019a8f…'],
    load: async () => (await import('../commands/molt/withdraw.ts')).showWithdrawal,
  });
  declare(molt, runtime, {
    usage: 'faucet [amount]',
    summary: 'tokens for trying things out, on development networks only (default: 1000)',
    options: signingOptions(),
    examples: ['molt faucet', 'molt faucet 250 -w agent-1 --passphrase-file ~/.agent-passphrase'],
    load: async () => (await import('../commands/molt/faucet.ts')).drawFromFaucet,
  });
  declare(molt, runtime, {
    usage: 'sign <file>',
    summary: 'add your signature to an order that others saved, and carry it out',
    options: [...signingOptions(), saveOption()],
    examples: ['molt sign release.json', 'molt sign release.json --save release-2.json'],
    load: async () => (await import('../commands/molt/sign.ts')).signSaved,
  });
}
