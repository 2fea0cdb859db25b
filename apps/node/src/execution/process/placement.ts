import { statSync } from 'node:fs';
import { CodedError, present } from '@clawbernetes/kernel';
import type { Launch } from '../executor.ts';
import type { AttemptFolder } from './attempt-folder.ts';
import { environmentArguments, SANDBOX_HOME, type Bubblewrap } from './bubblewrap.ts';
import { findProgram } from './find-program.ts';
import { gpuAccess } from './gpu-access.ts';
import { gpuShare } from './gpu-share.ts';
import type { ChildRequest } from './workload-child.ts';
import { workloadEnvironment } from './workload-environment.ts';

/** What this node offers to a launch. */
export interface PlacementHost {
  /** The sandbox, or in words why there is none. */
  readonly sandbox: Bubblewrap | string;
  readonly allowUnsandboxed: boolean;
  readonly path: string;
  /** Of the user that workloads run as. */
  readonly home: string;
}

/** How a launch will run: everything is decided and checked, nothing is made yet. */
export interface Placement {
  readonly sandboxed: boolean;
  readonly limitations: readonly string[];
  /** The workload's own environment and directory, as it sees them. */
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** What the command reads on the descriptor after its outputs. */
  readonly input?: Buffer;
  /** The command line to start on the host. */
  readonly command: Pick<ChildRequest, 'program' | 'name' | 'args' | 'env' | 'directory'>;
}

/** @throws CodedError whose code is an EndReason, with what to change. */
export function placeLaunch(host: PlacementHost, launch: Launch, folder: AttemptFolder): Placement {
  const sandbox = chooseSandbox(host, launch);
  return typeof sandbox === 'string'
    ? placeBare(host, launch, folder, sandbox)
    : placeInside(host, launch, folder, sandbox);
}

/** The sandbox, or for a bare run the mark to show. */
function chooseSandbox({ sandbox, allowUnsandboxed }: PlacementHost, { spec }: Launch): Bubblewrap | string {
  const wantsBare = spec.sandbox === 'off';
  if (!wantsBare && typeof sandbox !== 'string') return sandbox;
  const reason = wantsBare || typeof sandbox !== 'string' ? 'the workload asked for it' : sandbox;
  const mark = `It runs unsandboxed: ${reason}.`;
  if (spec.sandbox === 'required') throw refuse(`The workload requires a sandbox, but ${reason}.`);
  if (!allowUnsandboxed) {
    const because = wantsBare ? 'leave out "sandbox: off"' : `the sandbox is unavailable: ${reason}`;
    throw refuse(`This node runs workloads only in a sandbox; ${because}.`);
  }
  if (spec.network === 'none') throw refuse(`Cutting off the network needs a sandbox. ${mark}`);
  const moved = spec.mounts.find(({ source, target }) => source !== target);
  if (moved === undefined) return mark;
  throw refuse(`Showing ${moved.source} at ${moved.target} needs a sandbox. ${mark}`);
}

function placeBare(host: PlacementHost, launch: Launch, folder: AttemptFolder, mark: string): Placement {
  const { spec } = launch;
  const share = gpuShare(launch);
  const access = gpuAccess(launch);
  const gpus = { ...access, env: { ...access.env, ...share.env } };
  const env = workloadEnvironment(launch, gpus, { path: host.path, home: host.home });
  if (spec.workingDirectory !== undefined) checkDirectory(spec.workingDirectory);
  const directory = spec.workingDirectory ?? folder.work;
  const path = env['PATH'] ?? host.path;
  const name = present(spec.command[0], 'a program');
  const program = findProgram(name, { path, workingDirectory: directory, isShared: () => true });
  const writable = spec.mounts.some(({ readOnly }) => readOnly);
  return {
    sandboxed: false,
    limitations: [mark, ...(writable ? ['Its read-only mounts can be written.'] : []), ...share.limitations],
    env,
    directory,
    command: { program: present(program, 'the program'), name, args: spec.command.slice(1), env, directory },
  };
}

function placeInside(
  host: PlacementHost,
  launch: Launch,
  folder: AttemptFolder,
  sandbox: Bubblewrap,
): Placement {
  const { spec } = launch;
  const gpus = gpuAccess(launch);
  const env = workloadEnvironment(launch, gpus, { path: host.path, home: SANDBOX_HOME });
  const isShared = (path: string): boolean => sandbox.isShared(path, spec);
  const directory = spec.workingDirectory ?? SANDBOX_HOME;
  if (isShared(directory)) checkDirectory(directory);
  const [name = '', ...args] = spec.command;
  const program = findProgram(name, {
    path: env['PATH'] ?? host.path,
    workingDirectory: directory,
    isShared,
  });
  const request = { spec, folder, devicePaths: gpus.paths, command: [program ?? name, ...args] };
  return {
    sandboxed: true,
    limitations: [],
    env,
    directory,
    input: environmentArguments(env),
    // Variables of the workload, such as LD_PRELOAD, must not reach what runs outside the sandbox.
    command: {
      program: sandbox.program,
      name: 'bwrap',
      args: sandbox.arguments(request),
      env: {},
      directory: '/',
    },
  };
}

function checkDirectory(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new CodedError(
    `The working directory ${directory} is not a folder on this node. Make it there, or leave it out.`,
    { code: 'launch-failed' },
  );
}

function refuse(message: string): CodedError {
  return new CodedError(message, { code: 'sandbox-unavailable' });
}
