import { existsSync, readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import path from 'node:path';

/** What the command line and the environment say, read once. */
export interface CliConfig {
  /** State folder of gateway and node on this machine. */
  readonly home: string;
  /** CLAWBERNETES_GATEWAY; the flag goes before it. */
  readonly gatewayUrl: string | undefined;
  /** CLAWBERNETES_TOKEN; else the owner's token file is read. */
  readonly token: string | undefined;
  readonly cwd: string;
  readonly hostname: string;
  readonly version: string;
  /** How the user starts this program: `npx clawbernetes` in a clone. */
  readonly programName: string;
  readonly colour: { readonly stdout: boolean; readonly stderr: boolean };
  /** Arguments before the first `--`. */
  readonly argv: readonly string[];
  /** Arguments after the first `--`; undefined if there is none. */
  readonly afterDashes: readonly string[] | undefined;
  /** Of the caller, for `run --env NAME` and for child processes. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The Node that runs this, for child processes. */
  readonly nodePath: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of the clone that this file runs in, or undefined when the package was installed. */
function cloneRoot(): string | undefined {
  const root = path.resolve(import.meta.dirname, '../../..');
  const manifest = path.join(root, 'package.json');
  if (!existsSync(manifest)) return undefined;
  return readFileSync(manifest, 'utf8').includes('"clawbernetes-workspace"') ? root : undefined;
}

function homeFolder(env: Environment, clone: string | undefined): string {
  if (env['CLAWBERNETES_HOME']) return path.resolve(env['CLAWBERNETES_HOME']);
  if (clone !== undefined) return path.join(clone, '.clawbernetes');
  const stateFolder = env['XDG_STATE_HOME'] || path.join(homedir(), '.local', 'state');
  return path.join(stateFolder, 'clawbernetes');
}

function ownVersion(): string {
  const text = readFileSync(path.join(import.meta.dirname, '../package.json'), 'utf8');
  const manifest = JSON.parse(text) as { readonly version: string };
  return manifest.version;
}

function wantsColour(env: Environment, argv: readonly string[], isTerminal: boolean): boolean {
  if (argv.includes('--no-color') || env['NO_COLOR'] || env['TERM'] === 'dumb') return false;
  return isTerminal || Boolean(env['FORCE_COLOR']);
}

/** The only reader of environment and arguments. */
export function readConfig(): CliConfig {
  const { env } = process;
  const all = process.argv.slice(2);
  const dashes = all.indexOf('--');
  const argv = dashes < 0 ? all : all.slice(0, dashes);
  const clone = cloneRoot();
  return Object.freeze({
    home: homeFolder(env, clone),
    gatewayUrl: env['CLAWBERNETES_GATEWAY'] || undefined,
    token: env['CLAWBERNETES_TOKEN'] || undefined,
    cwd: process.cwd(),
    hostname: hostname(),
    version: ownVersion(),
    programName: clone === undefined && !env['npm_execpath'] ? 'clawbernetes' : 'npx clawbernetes',
    colour: {
      stdout: wantsColour(env, argv, process.stdout.isTTY),
      stderr: wantsColour(env, argv, process.stderr.isTTY),
    },
    argv,
    afterDashes: dashes < 0 ? undefined : all.slice(dashes + 1),
    env,
    nodePath: process.execPath,
  });
}
