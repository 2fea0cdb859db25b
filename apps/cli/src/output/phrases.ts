import { stripVTControlCharacters } from 'node:util';
import { formatDuration } from '@clawbernetes/kernel';

/** `3m`, `2h`, `5d`: how long ago, in one unit. */
export function age(sinceMs: number | undefined, nowMs: number): string {
  if (sinceMs === undefined) return '–';
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** How long it ran, or has been running. */
export function ranFor(
  startedAtMs: number | undefined,
  finishedAtMs: number | undefined,
  nowMs: number,
): string {
  return startedAtMs === undefined ? '–' : formatDuration(Math.max(0, (finishedAtMs ?? nowMs) - startedAtMs));
}

/** `1 node`, `3 nodes`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

/** `25 %`: of a GPU, from thousandths. */
export function percent(milli: number): string {
  return `${milli / 10} %`;
}

export function memory(mib: number): string {
  return mib >= 1024 ? `${(mib / 1024).toFixed(mib >= 102_400 ? 0 : 1)} GiB` : `${mib} MiB`;
}

export function cores(milli: number): string {
  return `${Number((milli / 1000).toFixed(2))}`;
}

/** Text from elsewhere on one line of a terminal: no control characters, at most `limit` characters. */
export function oneLine(text: string, limit = 60): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this removes
  const clean = stripVTControlCharacters(text).replaceAll(/[\u0000-\u001F\u007F-\u009F]+/g, ' ');
  return clean.length > limit ? `${clean.slice(0, limit - 1)}…` : clean;
}

const COMMANDS =
  'run|workload|exec|status|node|gpu|queue|reservation|what-if|events|molt|ledger|up|down|invoke|config|token|' +
  'completion|help|--help';
const COMMAND_IN_TEXT = new RegExp(`\\bclawbernetes (?=(?:${COMMANDS})\\b)`, 'g');

/** Commands named in a message as this user has to type them: `npx clawbernetes …` in a clone. */
export function asTyped(text: string, programName: string): string {
  return text.replaceAll(COMMAND_IN_TEXT, `${programName} `).replaceAll('npx npx ', 'npx ');
}

/** A command as one would type it in a shell. */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
