import { CliProcess, makeHome, removeHome, runCli, type CliOptions, type CliResult } from './cli-process.ts';

/** A real fleet on this machine: `clawbernetes up` on a free port, with its own home. */
export class TestFleet implements AsyncDisposable {
  readonly home: string;
  /** Where commands are started: workloads see it, but not the home. */
  readonly folder: string;
  readonly url: string;
  readonly up: CliProcess;

  static async open(...upOptions: string[]): Promise<TestFleet> {
    const home = await makeHome();
    const up = new CliProcess(['up', '--port', '0', '-f', 'json', ...upOptions], { home });
    await up.until(({ stdout, ended }) => ended || stdout.endsWith('}\n'));
    if (up.ended) throw new Error(`"up" failed:\n${up.stderr}`);
    const { url } = JSON.parse(up.stdout) as { readonly url: string };
    return new TestFleet(home, await makeHome(), url, up);
  }

  private constructor(home: string, folder: string, url: string, up: CliProcess) {
    this.home = home;
    this.folder = folder;
    this.url = url;
    this.up = up;
  }

  run(args: readonly string[], options: Partial<CliOptions> = {}): Promise<CliResult> {
    return runCli(args, { home: this.home, cwd: this.folder, ...options });
  }

  start(args: readonly string[], options: Partial<CliOptions> = {}): CliProcess {
    return new CliProcess(args, { home: this.home, cwd: this.folder, ...options });
  }

  /** The answer of a command that must succeed, read as JSON. */
  async json<T>(args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run([...args, '--format', 'json']);
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stderr}`);
    return JSON.parse(stdout) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.up.kill('SIGTERM');
    await this.up.result;
    await removeHome(this.home);
    await removeHome(this.folder);
  }
}
