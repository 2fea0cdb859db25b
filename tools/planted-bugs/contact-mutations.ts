import type { Mutation } from './mutation.ts';

const FLEET = 'packages/fleet/src';
const GATEWAY = 'apps/gateway/src';

/** Of what is known of nodes by what came of them, and when. */
export const CONTACT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a node whose frames wait for their turn counts as silent',
    file: `${FLEET}/node/node-registry.ts`,
    find: 'const presence = this.#presenceNow(id);',
    replace: 'const presence = nodes.presence(id);',
  },
  {
    name: 'silence counts from when a frame has its turn',
    file: `${FLEET}/node/node-registry.ts`,
    find: 'this.#core.arrivedMs?.(nodeId) ?? this.#core.clock',
    replace: 'this.#core.clock',
    test: 'packages/fleet/test/unit/silence.test.ts',
  },
  {
    name: 'heartbeats are answered in their turn alone',
    file: `${GATEWAY}/sessions/node-connection.ts`,
    find: 'channel.onWaiting?.((frame) => this.#onWaiting(frame));',
    replace: '',
  },
  {
    name: 'a node that is not read counts as silent',
    file: `${GATEWAY}/http/web-socket-channel.ts`,
    find: 'this.#socket.isPaused ? this.#deps.clock.monotonicMs() : this.#arrivedMs',
    replace: 'this.#arrivedMs',
    test: 'apps/gateway/test/unit/web-socket-channel.test.ts',
  },
];
