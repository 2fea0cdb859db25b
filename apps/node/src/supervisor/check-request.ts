import { isAttemptId } from '../execution/attempt-id.ts';
import type { ExecRequest, Launch } from '../execution/executor.ts';
import { MAX_EXEC_OUTPUT_BYTES, MAX_LOG_SLICE_BYTES, type Params } from './messages.ts';
import { supervisorError } from './supervisor-error.ts';

/**
 * Checks of what arrives at the supervisor's socket. The peer is the same user's agent, which has parsed
 * specs with their schema; here is what keeps the supervisor itself from harm. By hand, so that it need not
 * load a schema library.
 */

const MAX_TIME_MS = 366 * 24 * 3600 * 1000;
const MAX_FORGET = 100_000;

type Fields = Readonly<Record<string, unknown>>;

export function checkHello(params: unknown): Params<'hello'> {
  const { protocol, oldestProtocol, owner } = fields(params);
  return { protocol: whole(protocol), oldestProtocol: whole(oldestProtocol), owner: id(owner) };
}

export function checkLaunch(params: unknown): Launch {
  const launch = fields(fields(params).launch);
  id(launch.attemptId);
  id(launch.workloadId);
  text(launch.namespace);
  strings(launch.devices);
  const epoch = fields(launch.epoch);
  whole(epoch.term);
  whole(epoch.counter);
  checkSpec(fields(launch.spec));
  // Every field that is used unchecked was made by the schema of `WorkloadSpec` in the agent.
  return launch as unknown as Launch;
}

export function checkAttempt(params: unknown): string {
  return id(fields(params).attemptId);
}

export function checkStop(params: unknown): Params<'stop'> {
  const { attemptId, graceMs } = fields(params);
  return { attemptId: id(attemptId), graceMs: whole(graceMs, MAX_TIME_MS) };
}

export function checkContact(params: unknown): number {
  const { sentMs } = fields(params);
  if (typeof sentMs === 'number' && Number.isFinite(sentMs) && sentMs >= 0) return sentMs;
  throw refusal('a time');
}

export function checkForget(params: unknown): readonly string[] {
  return strings(fields(params).attemptIds, MAX_FORGET);
}

export function checkExec(params: unknown): Params<'exec'> {
  const { attemptId, request } = fields(params);
  const { command, env, timeoutMs, maxOutputBytes } = fields(request);
  strings(Object.values(fields(env)));
  const checked: ExecRequest = {
    command: strings(command),
    // Its values were seen to be strings.
    env: env as ExecRequest['env'],
    timeoutMs: whole(timeoutMs, MAX_TIME_MS),
    maxOutputBytes: Math.min(whole(maxOutputBytes), MAX_EXEC_OUTPUT_BYTES),
  };
  return { attemptId: id(attemptId), request: checked };
}

export function checkReadLog(params: unknown): Params<'readLog'> {
  const { attemptId, position, maxBytes } = fields(params);
  return {
    attemptId: id(attemptId),
    position: whole(position),
    maxBytes: Math.min(whole(maxBytes), MAX_LOG_SLICE_BYTES),
  };
}

export function checkKind(params: unknown): 'process' | 'container' {
  const { kind } = fields(params);
  if (kind === 'process' || kind === 'container') return kind;
  throw refusal('an executor kind');
}

export function checkShutdown(params: unknown): Params<'shutdown'> {
  return { graceMs: whole(fields(params).graceMs, MAX_TIME_MS) };
}

export function fields(value: unknown): Fields {
  // A non-array object is a record of unknowns.
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw refusal('an object');
}

export function whole(value: unknown, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw refusal(`a whole number up to ${max}`);
}

function checkSpec(spec: Fields): void {
  strings(spec.command);
  strings(Object.values(fields(spec.env)));
  if (spec.image !== undefined) text(spec.image);
  if (spec.timeoutMs !== undefined) whole(spec.timeoutMs, MAX_TIME_MS);
  whole(spec.stopGraceMs, MAX_TIME_MS);
  if (spec.onDisconnect !== undefined) {
    const { afterMs } = fields(spec.onDisconnect);
    if (afterMs !== undefined) whole(afterMs, MAX_TIME_MS);
  }
  fields(spec.resources);
  if (!Array.isArray(spec.mounts)) throw refusal('a list of mounts');
}

function id(value: unknown): string {
  if (typeof value === 'string' && isAttemptId(value)) return value;
  throw refusal('an id of letters, digits, ".", "_" and "-"');
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw refusal('a text');
}

function strings(value: unknown, max = 100_000): string[] {
  if (Array.isArray(value) && value.length <= max && value.every((item) => typeof item === 'string'))
    return value;
  throw refusal('a list of texts');
}

function refusal(expected: string): Error {
  return supervisorError(
    'supervisor-request',
    `The supervisor's request lacks ${expected} where one belongs.`,
  );
}
