import type { Command } from 'commander';
import { declare, declareGroup, type Runtime } from './declaration.ts';

export function declareLedgerCommands(program: Command, runtime: Runtime): void {
  const ledger = declareGroup(program, 'ledger', 'the ledger of the gateway');
  declare(ledger, runtime, {
    usage: 'status',
    summary: 'its id, network, size and rules',
    examples: ['ledger status', 'ledger status -f json'],
    load: async () => (await import('../commands/ledger/ledger.ts')).showLedger,
  });
  declare(ledger, runtime, {
    usage: 'audit',
    summary: 'recompute every balance from the journal; ends with 1 if anything differs',
    examples: ['ledger audit', 'ledger audit -f json'],
    load: async () => (await import('../commands/ledger/ledger.ts')).auditLedger,
  });
}
