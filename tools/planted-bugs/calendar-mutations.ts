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
  {
    name: 'a reservation that is made is not stored',
    file: `${FLEET}/calendar/reservation-administration.ts`,
    find: '    writer.write(reservationRow(reservation));\n',
    replace: '',
  },
  {
    name: 'a reservation that is deleted stays in the store',
    file: `${FLEET}/calendar/reservation-administration.ts`,
    find: "  core.writer.write({ table: 'reservation', delete: { name } });\n",
    replace: '',
  },
  {
    name: 'what a reservation holds instead of broken GPUs is not stored',
    file: `${FLEET}/calendar/mend-holds.ts`,
    find: '    writer.write(reservationRow(mended));\n',
    replace: '',
  },
  {
    name: 'a reservation is read back on other nodes',
    file: `${FLEET}/calendar/reservation-record.ts`,
    find: "  return { name: String(row['name']), ...data };",
    replace:
      "  const held = data.held.map((one, at, all) => ({ ...one, nodeId: all.at(at - 1)?.nodeId ?? '' }));\n" +
      "  return { name: String(row['name']), ...data, held };",
  },
];
