import { parseArgs } from 'node:util';
import { errorMessage, nearest } from '@clawbernetes/kernel';
import { nodeError } from '../errors.ts';

const OPTIONS = {
  config: { type: 'string' },
  home: { type: 'string' },
  gateway: { type: 'string' },
  name: { type: 'string' },
  label: { type: 'string', multiple: true },
  'simulate-gpus': { type: 'string' },
  'join-token-file': { type: 'string' },
  'run-as': { type: 'string' },
  'allow-unsandboxed': { type: 'boolean' },
  'stop-workloads-on-exit': { type: 'boolean' },
  'docker-host': { type: 'string' },
  'log-level': { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export type Flags = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export const HELP = `clawnode – runs workloads on this machine for a Clawbernetes gateway

Usage: clawnode [options]

  --gateway <address>        host:port or URL of the gateway (env CLAWNODE_GATEWAY; default: 127.0.0.1:8080)
  --join-token-file <file>   token of "clawbernetes node token", needed once to join without approval
  --name <name>              name of this node (env CLAWNODE_NAME; default: the host name)
  --label <key=value>        label for placement; may be repeated
  --config <file>            clawnode.toml (env CLAWNODE_CONFIG; default: <home>/clawnode.toml if it is there)
  --home <folder>            state of the node (env CLAWBERNETES_HOME; default: ~/.local/state/clawbernetes)
  --simulate-gpus <spec>     GPUs that do not exist, such as 8xH100; labelled simulated everywhere;
                             A100/3g.40gb/3g.40gb has MIG instances
  --run-as <user>            run workloads as this user, such as nobody, ml:render or 1000:1000; needs root
  --allow-unsandboxed        let workloads run without a sandbox where this host has none, or they ask for it
  --docker-host <address>    container engine, such as unix:///var/run/docker.sock
  --stop-workloads-on-exit   end the workloads with this process; otherwise they go on without it
  --log-level <level>        debug, info, warn or error
  --version, --help

Examples:
  clawnode --gateway gpu-head:8080 --join-token-file token.txt --label zone=a
  clawnode --simulate-gpus 8xH100 --name demo
`;

/** @throws CodedError `invalid-config` with the nearest option. */
export function parseFlags(argv: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const message = errorMessage(error);
    const unknown = /^Unknown option '(-[^' ]+)/.exec(message)?.[1];
    if (unknown === undefined) throw nodeError('invalid-config', (message.split('. ')[0] ?? message) + '.');
    const near = nearest(unknown.replace(/^-+/, ''), Object.keys(OPTIONS));
    const hint = near === undefined ? 'clawnode --help lists them.' : `Did you mean --${near}?`;
    throw nodeError('invalid-config', `Unknown option ${unknown}. ${hint}`);
  }
}
