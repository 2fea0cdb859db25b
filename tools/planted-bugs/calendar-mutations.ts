import type { Mutation } from './mutation.ts';

const FLEET = 'packages/fleet/src';

/** Of reservations by calendar. */
export const CALENDAR_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a reservation lets in what has no time limit',
    file: `${FLEET}/scheduler/calendar/calendar-reservation.ts`,
    find: '  if (toMs <= startMs || fromMs >= endMs) return false;',
    replace: '  if (toMs <= startMs || fromMs < startMs || fromMs >= endMs) return false;',
  },
  {
    name: 'two reservations hold the same GPU',
    file: `${FLEET}/scheduler/calendar/choose-capacity.ts`,
    find: 'devices === undefined || devices.includes(id));',
    replace: 'devices === undefined && devices !== id);',
  },
  {
    name: 'a reservation is not read back after a restart',
    file: `${FLEET}/load-fleet.ts`,
    find: '    reservations,\n    tokens,',
    replace: '    reservations: [],\n    tokens,',
  },
  {
    name: 'what is in the way of a reservation is not asked to end',
    file: `${FLEET}/calendar/calendar-care.ts`,
    find: 'if (stopsAtMs === undefined || nowMs < stopsAtMs) continue;',
    replace: 'if (stopsAtMs === undefined || nowMs < stopsAtMs || attempt.id) continue;',
  },
];
