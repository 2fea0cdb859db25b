import type { HandlerDeps, Handlers } from './handler-context.ts';

type ConfigCommand = 'config.create' | 'config.get' | 'config.update' | 'config.delete' | 'config.list';

export function configHandlers({ fleet }: HandlerDeps): Handlers<ConfigCommand> {
  const { config } = fleet;
  return {
    'config.create': ({ key, value }, { namespace }) => config.create(namespace, key, value),
    'config.get': ({ key, version }, { namespace }) => config.get(namespace, key, version),
    'config.update': ({ key, value, expectedVersion }, { namespace }) =>
      config.update(namespace, key, value, expectedVersion),
    'config.delete': ({ key, expectedVersion }, { namespace }) => {
      config.delete(namespace, key, expectedVersion);
      return { key, deleted: true };
    },
    'config.list': ({ prefix, limit, cursor }, { namespace }) => {
      const page = config.list(namespace, {
        prefix,
        limit: limit + 1,
        ...(cursor === undefined ? {} : { cursor }),
      });
      const entries = page.slice(0, limit);
      const last = page.length > limit ? entries.at(-1) : undefined;
      return { entries, ...(last ? { next: last.key } : {}) };
    },
  };
}
