import type { Clock, Random } from '@clawbernetes/kernel';
import type { Client } from '@clawbernetes/sdk';
import type { CliConfig } from './config.ts';
import { findGateway } from './find-gateway.ts';
import { asTyped } from './output/phrases.ts';
import type { Terminal } from './terminal.ts';

export type Format = 'table' | 'json';

export interface GlobalOptions {
  readonly format?: Format;
  readonly gateway?: string;
}

/** What every command works with. */
export interface Context {
  readonly config: CliConfig;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly random: Random;
  readonly format: Format;
  /** Of the gateway to talk to; read afresh at each call, since `up` makes it. */
  readonly client: () => Promise<Client>;
  /** One document on stdout: the value as JSON, or what `table` makes of it. */
  print(value: unknown, table: () => string | Promise<string>): Promise<void>;
  /** Width of stdout where it is a terminal. */
  readonly columns: number | undefined;
  /** A remark for people, on stderr. */
  remark(text: string): void;
}

export interface ContextDeps {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly random: Random;
}

export function openContext(deps: ContextDeps, config: CliConfig, globals: GlobalOptions): Context {
  const { terminal, clock, random } = deps;
  // Commands may have formats of their own; then they write by themselves.
  const format = globals.format === 'json' ? 'json' : 'table';
  return {
    config,
    terminal,
    clock,
    random,
    format,
    columns: terminal.stdout.isTTY ? terminal.stdout.columns : undefined,
    async client() {
      const { openClient } = await import('@clawbernetes/sdk');
      return openClient({ clock, random }, await findGateway(config, globals.gateway));
    },
    async print(value, table) {
      const text = format === 'json' ? JSON.stringify(value, undefined, 2) : await table();
      if (text !== '') terminal.stdout.write(`${text}\n`);
    },
    remark(text) {
      terminal.stderr.write(`${asTyped(text, config.programName)}\n`);
    },
  };
}
