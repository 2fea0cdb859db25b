import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, makeHome, removeHome, runCli, type CliResult } from '../cli-process.ts';

const BIN = path.resolve(import.meta.dirname, '../../../../gateway/bin/claw-gateway.js');
const PASSPHRASE = 'correct horse battery';

/** A real gateway that keeps a ledger, as a process of its own, to be killed. */
export class LedgerGateway implements AsyncDisposable {
  readonly home: string;
  readonly #network: string;
  #child: ChildProcess;

  static async open(network = 'development'): Promise<LedgerGateway> {
    const home = await makeHome();
    const gateway = new LedgerGateway(home, network);
    await gateway.#ready();
    return gateway;
  }

  private constructor(home: string, network: string) {
    this.home = home;
    this.#network = network;
    this.#child = this.#spawn();
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }

  /** Another process on the same home and port; `laterMs`: on a machine whose clock is ahead by that. */
  async startAgain({ laterMs = 0 } = {}): Promise<void> {
    const url = new URL((await this.#endpoint()).url);
    this.#child = this.#spawn(url.port, laterMs);
    await this.#ready();
  }

  /** What people are told of its ledger. */
  async ledgerId(): Promise<string> {
    const { stdout } = await runCli(['ledger', 'status', '-f', 'json'], { home: this.home });
    return (JSON.parse(stdout) as { readonly ledgerId: string }).ledgerId;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
    await removeHome(this.home);
  }

  #spawn(port = '0', laterMs = 0): ChildProcess {
    const args = ['--home', this.home, '--port', port, '--settlement', this.#network, '--log-level', 'error'];
    const env = { PATH: process.env['PATH'], HOME: this.home };
    const clock = `const now = Date.now; Date.now = () => now() + ${laterMs};`;
    const ahead = laterMs === 0 ? [] : ['--import', `data:text/javascript,${encodeURIComponent(clock)}`];
    return spawn(process.execPath, [...ahead, BIN, ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  }

  async #ready(): Promise<void> {
    await eventually(
      async () => {
        if ((await this.#endpoint().catch(() => undefined))?.pid !== this.#child.pid) return false;
        return (await runCli(['ledger', 'status'], { home: this.home })).code === 0;
      },
      () => 'the gateway has no open ledger',
    );
  }

  async #endpoint(): Promise<{ readonly pid: number; readonly url: string }> {
    const text = await readFile(path.join(this.home, 'gateway', 'endpoint.json'), 'utf8');
    return JSON.parse(text) as { readonly pid: number; readonly url: string };
  }
}

/** Somebody with a machine and a wallet of his own, who reaches the gateway over the network. */
export class Stranger implements AsyncDisposable {
  readonly home: string;
  readonly address: string;
  readonly #gateway: LedgerGateway;

  static async open(gateway: LedgerGateway): Promise<Stranger> {
    const home = await makeHome();
    const passphraseFile = path.join(home, 'passphrase');
    await writeFile(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
    const made = await runCli(
      ['molt', 'wallet', 'create', '--passphrase-file', passphraseFile, '-f', 'json'],
      {
        home,
      },
    );
    const { address } = JSON.parse(made.stdout) as { readonly address: string };
    return new Stranger(gateway, home, address);
  }

  private constructor(gateway: LedgerGateway, home: string, address: string) {
    this.#gateway = gateway;
    this.home = home;
    this.address = address;
  }

  /** A command that only asks. */
  async run(...args: string[]): Promise<CliResult> {
    return runCli(args, { home: this.home, env: await this.#env() });
  }

  /** A command that signs. */
  async signs(...args: string[]): Promise<CliResult> {
    return this.run(...args, '--yes', '--passphrase-file', path.join(this.home, 'passphrase'));
  }

  /** One that reads what another has written. */
  async pipes(input: string, ...args: string[]): Promise<CliResult> {
    const file = path.join(this.home, 'passphrase');
    const signing = args.includes('settle') ? [] : ['--yes', '--passphrase-file', file];
    return runCli([...args, ...signing], { home: this.home, input, env: await this.#env() });
  }

  /** One that must succeed; answers its JSON. */
  async does<T>(...args: string[]): Promise<T> {
    return JSON.parse(answer(args, await this.signs(...args, '-f', 'json'))) as T;
  }

  async asks<T>(...args: string[]): Promise<T> {
    return JSON.parse(answer(args, await this.run(...args, '-f', 'json'))) as T;
  }

  balance(): Promise<Record<'available' | 'held' | 'escrowed' | 'staked' | 'total', string>> {
    return this.asks('molt', 'balance');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeHome(this.home);
  }

  async #env(): Promise<Record<string, string>> {
    const folder = path.join(this.#gateway.home, 'gateway');
    const endpoint = JSON.parse(await readFile(path.join(folder, 'endpoint.json'), 'utf8')) as {
      url: string;
    };
    const token = (await readFile(path.join(folder, 'owner.token'), 'utf8')).trim();
    return { CLAWBERNETES_GATEWAY: endpoint.url, CLAWBERNETES_TOKEN: token };
  }
}

/** What it printed; it must have succeeded. */
function answer(args: readonly string[], { code, stdout, stderr }: CliResult): string {
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stderr}`);
  return stdout;
}
