import { assert } from '@clawbernetes/kernel';
import { FLEET, levelNumber } from '../topology/topology-tree.ts';
import { MAX_GANG_MEMBERS, type GangDemand } from './gang-demand.ts';
import type { LevelSurvey } from './level-survey.ts';

export function checkDemand({ members: { min, max }, slices }: GangDemand): void {
  assert(min >= 1 && max >= min && max <= MAX_GANG_MEMBERS, 'a gang has 1 ≤ min ≤ max ≤ 65,536 members');
  if (!slices) return;
  assert(slices.size >= 1, 'a slice has members');
  assert(min % slices.size === 0 && max % slices.size === 0, 'a gang consists of whole slices');
}

/** In slices; without slices each member is one. */
export function sliceBounds({ members: { min, max }, slices }: GangDemand): {
  readonly least: number;
  readonly most: number;
} {
  const size = slices?.size ?? 1;
  return { least: min / size, most: max / size };
}

/** The levels that may be spanned at most, the lowest first. */
export function allowedCeilings({ topology }: GangDemand): readonly number[] {
  if (!topology) return [FLEET];
  const level = levelNumber(topology.level);
  if (topology.rule === 'required') return [level];
  return Array.from({ length: level + 1 }, (_, above) => level - above);
}

/** Slices that fit into one place of the level or of a lower one. */
export function roomUpTo(surveys: readonly LevelSurvey[], ceiling: number): number {
  return Math.max(...surveys.slice(ceiling).map(({ most }) => most));
}
