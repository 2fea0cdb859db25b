import type { Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { signingOptions } from './signing-options.ts';
import { walletOption } from './wallet-declarations.ts';

export function declareStakeCommands(stake: Command, runtime: Runtime): void {
  declare(stake, runtime, {
    usage: 'status [address]',
    summary: 'stake, tier and what unbonds; needs no passphrase',
    options: [walletOption()],
    examples: ['molt stake status'],
    load: async () => (await import('../commands/molt/stake.ts')).showStake,
  });
  declare(stake, runtime, {
    usage: 'deposit <amount>',
    summary: 'put tokens at stake: whoever provides has some',
    options: signingOptions(),
    examples: ['molt stake deposit 1000'],
    load: async () => (await import('../commands/molt/stake.ts')).depositStake,
  });
  declare(stake, runtime, {
    usage: 'withdraw <amount>',
    summary: 'take tokens from stake; they are available after 7 days',
    options: signingOptions(),
    examples: ['molt stake withdraw 500'],
    load: async () => (await import('../commands/molt/stake.ts')).withdrawStake,
  });
  declare(stake, runtime, {
    usage: 'tiers',
    summary: 'what each tier asks and gives',
    examples: ['molt stake tiers'],
    load: async () => (await import('../commands/molt/stake.ts')).listTiers,
  });
}
