import type { WaitExplanation } from '@clawbernetes/protocol';
import { explainWait } from '../explain.ts';
import { explainGangWaiting } from '../gang/explain-gang.ts';
import { isGang } from '../gang/member-shape.ts';
import { alikeFor, alikeNodes, type LikenessOf } from './alike.ts';
import { estimateStart, type StartQuestion } from './estimate-start.ts';
import { describeNode } from './obstacle-words.ts';
import { findRemedies } from './remedies.ts';
import { surveyNodes } from './survey.ts';

export interface WaitQuestion extends StartQuestion {
  /** Names of nodes that wait for a person's approval. */
  readonly unapproved: readonly string[];
  /** So that nodes in the same state are looked at once; absent = each is. */
  readonly likenessOf?: LikenessOf;
}

/**
 * Why a shape waits, what is nearest to taking it, what would help, and when it will start. Pure: it answers
 * for the nodes that it is given.
 */
export function explainWaiting(question: WaitQuestion): WaitExplanation {
  const { nodes, unapproved, shape, ahead, likenessOf } = question;
  if (isGang(shape)) return explainGangWaiting({ ...question, shape });
  const alike = alikeFor(shape, alikeNodes(nodes, likenessOf));
  const survey = surveyNodes(alike, shape);
  const [nearest] = survey.hindered;
  const isAble = survey.able > 0;
  return {
    ...explainWait({ alike, unapproved }, shape),
    nodes: nodes.length,
    obstacles: [...survey.counts],
    ...(nearest && !isAble
      ? {
          nearest: {
            node: nearest.example.name,
            obstacles: [...nearest.obstacles],
            message: `${describeNode(shape, nearest.example.name, nearest.obstacles)}.`,
          },
        }
      : {}),
    remedies: isAble ? [] : [...findRemedies(survey, question)],
    ahead: ahead.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0),
    start: isAble
      ? { estimate: 'range', fromMs: question.nowMs, toMs: question.nowMs, message: 'There is room now.' }
      : estimateStart(question, alike),
  };
}
