import type { Project } from './project.ts';

/** A place where a rule is broken; `message` says what to do instead. */
export interface Violation {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
  /** For rules about size: what was measured, and under which key the ratchet remembers it. */
  readonly measure?: { readonly key: string; readonly amount: number };
}

export interface Rule {
  readonly name: string;
  readonly check: (project: Project) => Violation[];
}
