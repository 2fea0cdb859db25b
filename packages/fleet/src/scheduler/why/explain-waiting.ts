import type { WaitExplanation } from '@clawbernetes/protocol';
import { explainingWait } from '../explain.ts';
import { explainingGangWait } from '../gang/explain-gang.ts';
import { isGang } from '../gang/member-shape.ts';
import { atOnce, type Sliced } from '../slices.ts';
import { alikeFor, gatherAlike, type LikenessOf } from './alike.ts';
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
  return atOnce(explainingWaiting(question));
}

/** The same in pieces. */
export function* explainingWaiting(question: WaitQuestion): Sliced<WaitExplanation> {
  const { nodes, unapproved, shape, ahead, likenessOf } = question;
  if (isGang(shape)) return yield* explainingGangWait({ ...question, shape });
  const alike = alikeFor(shape, yield* gatherAlike(nodes, likenessOf));
  const survey = yield* surveyNodes(alike, shape);
  const [nearest] = survey.hindered;
  const isAble = survey.able > 0;
  return {
    ...(yield* explainingWait({ alike, unapproved }, shape)),
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
    remedies: isAble ? [] : [...(yield* findRemedies(survey, question))],
    ahead: ahead.reduce((sum, { workloadIds }) => sum + workloadIds.length, 0),
    start: isAble
      ? { estimate: 'range', fromMs: question.nowMs, toMs: question.nowMs, message: 'There is room now.' }
      : yield* estimateStart(question, alike),
  };
}
