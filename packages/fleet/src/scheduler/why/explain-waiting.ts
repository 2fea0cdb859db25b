import type { WaitExplanation } from '@clawbernetes/protocol';
import { explainWait } from '../explain.ts';
import { explainGangWaiting } from '../gang/explain-gang.ts';
import { isGang } from '../gang/member-shape.ts';
import { estimateStart, type StartQuestion } from './estimate-start.ts';
import { describeNode } from './obstacle-words.ts';
import { findRemedies } from './remedies.ts';
import { surveyNodes, type Survey } from './survey.ts';

export interface WaitQuestion extends StartQuestion {
  /** Names of nodes that wait for a person's approval. */
  readonly unapproved: readonly string[];
}

/**
 * Why a shape waits, what is nearest to taking it, what would help, and when it will start. Pure: it answers
 * for the nodes that it is given.
 */
export function explainWaiting(question: WaitQuestion): WaitExplanation {
  const { nodes, unapproved, shape, ahead } = question;
  if (isGang(shape)) return explainGangWaiting({ ...question, shape });
  const survey = surveyNodes(nodes, shape);
  const [nearest] = survey.hindered;
  const isAble = survey.able.length > 0;
  return {
    ...(isAble ? startsNow(survey) : explainWait({ nodes, unapproved }, shape)),
    nodes: nodes.length,
    obstacles: [...survey.counts],
    ...(nearest && !isAble
      ? {
          nearest: {
            node: nearest.node.name,
            obstacles: [...nearest.obstacles],
            message: `${describeNode(shape, nearest.node.name, nearest.obstacles)}.`,
          },
        }
      : {}),
    remedies: isAble ? [] : [...findRemedies(survey, question)],
    ahead: ahead.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0),
    start: isAble
      ? { estimate: 'range', fromMs: question.nowMs, toMs: question.nowMs, message: 'There is room now.' }
      : estimateStart(question),
  };
}

/** It was not tried yet, or what has waited longer goes first. */
function startsNow({ able }: Survey): Pick<WaitExplanation, 'reason' | 'message'> {
  const nodes = able.length === 1 ? '1 node has' : `${able.length} nodes have`;
  return {
    reason: 'waiting-for-capacity',
    message: `${nodes} room for it now; it starts in its turn.`,
  };
}
