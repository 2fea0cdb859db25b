import type { HandlerDeps, Handlers } from './handler-context.ts';

type QueueCommand = 'queue.list' | 'queue.show' | 'queue.create' | 'queue.update' | 'queue.delete';

export function queueHandlers({ fleet }: HandlerDeps): Handlers<QueueCommand> {
  const { queues } = fleet;
  return {
    'queue.list': () => ({ queues: [...queues.list()] }),
    'queue.show': ({ queue }) => queues.show(queue),
    'queue.create': ({ queue, ...settings }) => queues.create({ queue, settings }),
    'queue.update': ({ queue, unset, ...settings }) => queues.update({ queue, settings, unset }),
    'queue.delete': ({ queue }) => {
      queues.delete(queue);
      return { queue, deleted: true };
    },
  };
}
