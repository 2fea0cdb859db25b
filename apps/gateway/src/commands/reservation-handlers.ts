import type { HandlerDeps, Handlers } from './handler-context.ts';

type ReservationCommand =
  'reservation.list' | 'reservation.show' | 'reservation.create' | 'reservation.delete';

export function reservationHandlers({ fleet }: HandlerDeps): Handlers<ReservationCommand> {
  const { reservations } = fleet;
  return {
    'reservation.list': () => ({ reservations: [...reservations.list()] }),
    'reservation.show': ({ reservation }) => reservations.show(reservation),
    'reservation.create': (request) => reservations.create(request),
    'reservation.delete': ({ reservation }) => {
      reservations.delete(reservation);
      return { reservation, deleted: true };
    },
  };
}
