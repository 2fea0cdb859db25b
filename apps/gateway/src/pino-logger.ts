import type { Logger } from '@clawbernetes/kernel';
import { pino, type Logger as Pino } from 'pino';
import type { LogLevel } from './config.ts';

/** JSON lines on standard error. */
export function openPinoLogger(level: LogLevel): Logger {
  return adapt(pino({ level, base: null }, pino.destination(2)));
}

function adapt(line: Pino): Logger {
  return {
    debug: (message, facts = {}) => line.debug(facts, message),
    info: (message, facts = {}) => line.info(facts, message),
    warn: (message, facts = {}) => line.warn(facts, message),
    error: (message, facts = {}) => line.error(facts, message),
    child: (facts) => adapt(line.child(facts)),
  };
}
