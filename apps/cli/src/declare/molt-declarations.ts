import type { Command } from 'commander';
import { declareGroup, type Runtime } from './declaration.ts';
import { declareWalletCommands } from './wallet-declarations.ts';

/** The compute market MOLT; each group of its commands has a file of declarations beside this. */
export function declareMoltCommands(program: Command, runtime: Runtime): void {
  const molt = declareGroup(program, 'molt', 'the compute market: keys, and what they own');
  declareWalletCommands(declareGroup(molt, 'wallet', 'keys of this machine, under a passphrase'), runtime);
}
