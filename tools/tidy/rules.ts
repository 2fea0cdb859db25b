import type { Rule } from './rule.ts';
import { bannedCalls } from './rules/banned-calls.ts';
import { cycles } from './rules/cycles.ts';
import { layers } from './rules/layers.ts';
import { names } from './rules/names.ts';
import { packageFiles } from './rules/package-files.ts';
import { packageInside } from './rules/package-inside.ts';
import { sizes } from './rules/sizes.ts';
import { syntax } from './rules/syntax.ts';
import { testComment } from './rules/test-comment.ts';
import { words } from './rules/words.ts';

export const RULES: readonly Rule[] = [
  syntax,
  layers,
  packageInside,
  cycles,
  bannedCalls,
  sizes,
  names,
  testComment,
  packageFiles,
  words,
];
