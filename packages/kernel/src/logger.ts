export type LogFacts = Readonly<Record<string, unknown>>;

/** A constant message plus a fact object; adapters live in the apps. Never secrets; no peer text at info. */
export interface Logger {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
  /** A logger that adds `facts` to every line. */
  child(facts: LogFacts): Logger;
}

/** Drops everything: the default of libraries and tests. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
