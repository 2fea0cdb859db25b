import { Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { year } from './molt-values.ts';
import { oneOf } from './option-values.ts';
import { walletOption } from './wallet-declarations.ts';

/** What happened to an owner's tokens; nothing of it needs a passphrase. */
export function declareHistoryCommands(molt: Command, runtime: Runtime): void {
  declare(molt, runtime, {
    usage: 'earnings [address]',
    summary: 'what a provider has earned',
    options: [walletOption(), since(), until(), new Option('--detailed', 'job by job')],
    examples: ['molt earnings', 'molt earnings --since 7d --detailed', 'molt earnings -f json'],
    load: async () => (await import('../commands/molt/earnings.ts')).showEarnings,
  });
  declare(molt, runtime, {
    usage: 'statement [address]',
    summary: 'movements of an account with opening and closing balance',
    options: [walletOption(), account(), since(), until(), ofYear()],
    examples: ['molt statement --since 30d', 'molt statement --account held --year 2026'],
    load: async () => (await import('../commands/molt/statement.ts')).showStatement,
  });
  declare(molt, runtime, {
    usage: 'export [address]',
    summary: 'movements of an account for spreadsheets and tax offices',
    options: [walletOption(), account(), since(), until(), ofYear()],
    formats: ['csv', 'json'],
    examples: [
      'molt export --year 2026 > 2026.csv',
      'molt export --format json --since 2026-01-01',
      'molt export --account held > gross-and-fees.csv',
    ],
    load: async () => (await import('../commands/molt/export.ts')).exportMovements,
  });
}

function account(): Option {
  const names = ['available', 'held', 'escrowed', 'staked', 'unbonding'] as const;
  return new Option('--account <name>', `which one: ${names.join(', ')}`)
    .argParser(oneOf(...names))
    .default('available');
}

function since(): Option {
  return new Option('--since <time>', 'from a date (UTC), or from so long ago: 2026-01-31, 7d');
}

function until(): Option {
  return new Option('--until <time>', 'before that time');
}

function ofYear(): Option {
  return new Option('--year <year>', 'of this year, UTC').argParser(year);
}
