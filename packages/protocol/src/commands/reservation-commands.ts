import { z } from 'zod';
import { reservationRequestSchema, reservationViewSchema } from '../reservation.ts';
import { command } from './command.ts';

const toReservation = z.strictObject({
  reservation: z.string().min(1).max(63).describe('Name of a reservation.'),
});

/** Capacity that is kept for a while: for the work of some queues, or free of work for maintenance. */
export const reservationCommands = {
  'reservation.list': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Reservations that have not ended, the earliest start first',
    input: z.strictObject({}),
    output: z.object({ reservations: z.array(reservationViewSchema) }),
    errors: [],
  }),
  'reservation.show': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'One reservation: its time, what it holds where, who uses it, and what runs past its start',
    input: toReservation,
    output: reservationViewSchema,
    errors: ['not-found'],
  }),
  'reservation.create': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Keep GPUs or nodes for a while; from then on only what ends before the start is placed there',
    input: reservationRequestSchema,
    output: reservationViewSchema,
    errors: ['not-found', 'name-taken', 'conflict', 'not-supported'],
  }),
  'reservation.delete': command({
    tier: 'fleet',
    target: 'gateway',
    summary: 'Give a reservation up; what it held is free for all, and nothing is stopped',
    input: toReservation,
    output: z.object({ reservation: z.string(), deleted: z.literal(true) }),
    errors: ['not-found'],
  }),
} as const;
