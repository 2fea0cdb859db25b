import { InvalidArgumentError } from 'commander';
import type { Quota } from '@clawbernetes/protocol';
import { errorMessage, nearest, parseDurationMs } from '@clawbernetes/kernel';

const MEMORY = /^(\d+(?:\.\d+)?)\s*(k|m|g|t)?(i?b)?$/i;
const MIB = { k: 1 / 1024, m: 1, g: 1024, t: 1024 * 1024 } as const;

/** Parsers of option values; what they throw names the option and says how to write it. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Write a whole number, such as 4.');
  return Number(text);
}

/** As a whole number, and below 0 too: `-5`. */
export function signedNumber(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('Write a whole number, such as 10 or -5.');
  return Number(text);
}

/** Amounts of a queue: `gpus=8,h100=4,cpus=64,memory=512g`, or `none`. */
export function quota(text: string): Quota {
  const amounts: { -readonly [Name in keyof Quota]: Quota[Name] } = {};
  const gpuModels: Record<string, number> = {};
  if (text === 'none') return {};
  for (const word of text.split(',')) {
    const [, name = '', amount = ''] = /^([^=]+)=(.+)$/.exec(word.trim()) ?? [];
    if (name === '')
      throw new InvalidArgumentError('Write amounts such as gpus=8 or h100=4,cpus=64,memory=512g.');
    if (name === 'memory') amounts.memoryMib = mebibytes(amount);
    else if (name === 'cpus') amounts.cpuMilli = milliCores(amount);
    else if (name === 'gpus') amounts.gpus = gpuCount(amount);
    else gpuModels[name.toLowerCase()] = gpuCount(amount);
  }
  return { ...amounts, ...(Object.keys(gpuModels).length > 0 ? { gpuModels } : {}) };
}

function gpuCount(text: string): number {
  if (!/^\d+(\.\d{1,3})?$/.test(text))
    throw new InvalidArgumentError('Write a number of GPUs, such as 8 or 0.5.');
  return Number(text);
}

/** Thousandths of `250m`, `0.25` or `25%` of one GPU. */
export function gpuShare(text: string): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)(m|%)?$/.exec(text) ?? [];
  const milli = Math.round(Number(amount) * (unit === 'm' ? 1 : unit === '%' ? 10 : 1000));
  if (amount !== '' && milli >= 1 && milli <= 999) return milli;
  throw new InvalidArgumentError(
    'Write a part of one GPU, such as 250m, 0.25 or 25%; whole ones are --gpus.',
  );
}

/** A whole number above 0, at most 10,000. */
export function positiveNumber(text: string): number {
  if (!/^[1-9]\d{0,3}$|^10000$/.test(text)) throw new InvalidArgumentError('Write a number from 1 to 10000.');
  return Number(text);
}

export function oneOf<Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const near = nearest(text, words);
    throw new InvalidArgumentError(
      `Write one of ${words.join(', ')}${near ? `; did you mean ${near}?` : '.'}`,
    );
  };
}

/** MiB of `512`, `512m`, `2g`. */
export function mebibytes(text: string): number {
  const [, amount, unit = 'm'] = MEMORY.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('Write MiB or a size, such as 512, 512m or 2g.');
  return Math.ceil(Number(amount) * MIB[unit.toLowerCase() as keyof typeof MIB]);
}

/** Thousandths of a core of `0.5`, `2`. */
export function milliCores(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text))
    throw new InvalidArgumentError('Write a number of cores, such as 0.5 or 2.');
  return Math.round(Number(text) * 1000);
}

/** ms of `10s`, `5m`; a bare number is seconds. */
export function duration(text: string): number {
  try {
    return parseDurationMs(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
}

/** `continue`, `stop=5m`. */
export function disconnection(text: string): { action: 'continue' | 'stop'; afterMs?: number } {
  if (text === 'continue') return { action: 'continue' };
  const after = /^stop=(.+)$/.exec(text)?.[1];
  if (after === undefined)
    throw new InvalidArgumentError('Write continue, or stop=5m to end it after so long.');
  return { action: 'stop', afterMs: duration(after) };
}

/** Gathers the values of an option that may be repeated. */
export function repeated(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

export function pairs(
  value: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const equals = value.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('Write key=value.');
  return { ...previous, [value.slice(0, equals)]: value.slice(equals + 1) };
}
