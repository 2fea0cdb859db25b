import { present } from '@clawbernetes/kernel';
import { amountsAsked, classChoices } from '../scheduler/queues/asked-amounts.ts';
import type { QueuedShape } from '../scheduler/queues/queue-plan-order.ts';
import type { WaitingWork } from '../scheduler/queues/workload-order.ts';
import type { QueueSituation } from './queue-situation.ts';

/** What waits, as those who might make room for it are judged. */
export function waitingWork(
  id: string,
  { queue, priority, sinceMs, shape }: QueuedShape,
  { models, classes, isPreemptible }: Pick<QueueSituation, 'models' | 'classes' | 'isPreemptible'>,
): WaitingWork {
  const [choice] = classChoices(shape, models, classes);
  const amounts = amountsAsked(shape, present(choice, 'a class that it may get'));
  return { id, queue, priority, submittedMs: sinceMs, amounts, preemptible: isPreemptible(queue) };
}
