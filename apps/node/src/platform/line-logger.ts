import type { Logger, LogFacts } from '@clawbernetes/kernel';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LineLoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

interface LineLoggerDeps {
  readonly nowMs: () => number;
  readonly write: (line: string) => void;
}

/**
 * One line per entry, JSON (time, level, msg, facts – the names that pino uses) or text for people. Of our
 * own because pino with its worker costs an idle agent several MiB.
 */
export function openLineLogger(
  deps: LineLoggerDeps,
  options: LineLoggerOptions,
  always: LogFacts = {},
): Logger {
  const lowest = LOG_LEVELS.indexOf(options.level);
  const print = options.format === 'json' ? jsonLine : textLine;
  const at =
    (level: LogLevel) =>
    (message: string, facts: LogFacts = {}): void => {
      if (LOG_LEVELS.indexOf(level) < lowest) return;
      deps.write(`${print(new Date(deps.nowMs()).toISOString(), level, message, { ...always, ...facts })}\n`);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (facts) => openLineLogger(deps, options, { ...always, ...facts }),
  };
}

function jsonLine(time: string, level: LogLevel, msg: string, facts: LogFacts): string {
  return JSON.stringify({ time, level, msg, ...facts }, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}

function textLine(time: string, level: LogLevel, message: string, facts: LogFacts): string {
  const words = Object.entries(facts).map(([name, value]) => ` ${name}=${textOf(value)}`);
  return `${time.slice(11, 19)} ${level.padEnd(5)} ${message}${words.join('')}`;
}

/** Bare where it is one plain word; control characters never reach a terminal. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@-]+$/.test(value) ? value : JSON.stringify(value);
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}
