import { levelText, type GpuLevel } from '../topology/gpu-level.ts';
import { LEVEL_LABELS, type TopologyLevel } from '../topology/topology-tree.ts';
import type { GangRefusal, Shortfall } from './gang-plan.ts';

const LEVEL_WORDS: Readonly<Record<TopologyLevel, string>> = {
  fleet: 'the fleet',
  site: 'one site',
  rack: 'one rack',
  'nvlink-domain': 'one NVLink domain',
  node: 'one node',
};

/**
 * What the gang needs, what stands in the way, and what would help. @param part of a node that all must be
 * on; the figures are of the one with most room.
 */
export function describeRefusal(refusal: GangRefusal, part?: GpuLevel): string {
  const { members, slices } = refusal.demand;
  const inSlices = slices && slices.size > 1 ? ` in slices of ${slices.size}` : '';
  const count = members.min === 1 ? '1 member' : `${members.min} members`;
  const where = part === undefined ? `in ${LEVEL_WORDS[refusal.level]}` : `on one ${levelText(part)}`;
  const needs = `${count}${inSlices} ${where}`;
  const { whenEmpty } = refusal;
  if (whenEmpty) {
    const short = mostRoom(whenEmpty, ' when empty');
    return `It can never fit, because it needs ${needs}, and ${short}. ${remedy(whenEmpty, members.min)}`;
  }
  const now = `It needs ${needs}; ${mostRoom(refusal, ' now')}.`;
  if (refusal.reason === 'waiting-for-capacity') return `${now} It starts when enough is free.`;
  return `${now} ${refusal.anywhere} fit into the fleet: ask for a wider level, or for this one as preferred, to start sooner.`;
}

function mostRoom({ level, nearest, shortBy }: Shortfall, when: string): string {
  if (!nearest) return `no node says in which ${level} it is`;
  if (level === 'fleet') return `there is room for ${nearest.members}${when}, ${shortBy} too few`;
  return `${placeName(nearest.name)}, which has most room, takes ${nearest.members}${when}, ${shortBy} too few`;
}

/** Levels above that nobody told tell nobody anything. */
function placeName(name: string): string {
  return name.replace(/^(\?\/)+/, '');
}

function remedy({ level, shortBy, anywhere, unknownPlace }: Shortfall, needed: number): string {
  const label = LEVEL_LABELS[level];
  if (unknownPlace >= shortBy && label) {
    return `Nodes with room for ${unknownPlace} do not say where they are: give them the label ${label}.`;
  }
  const wider = level !== 'fleet' && anywhere >= needed ? ', or for a wider level' : '';
  return `Ask for fewer members${wider}, or add nodes.`;
}
