import type { CommandName } from '@clawbernetes/protocol';

/**
 * Whether repeating the request changes nothing more, so that it may be sent again when the answer got lost.
 * A new command does not compile until it is decided here. `workload.run` is one because the client adds an
 * idempotency key, `ledger.order` and `ledger.submit` because a signature counts once.
 */
const IDEMPOTENT: Record<CommandName, boolean> = {
  'system.info': true,
  'system.run': false,
  'gpu.list': true,
  'gpu.metrics': true,
  'node.capabilities': true,
  'node.health': true,
  'workload.run': true,
  'workload.stop': true,
  'workload.list': true,
  'workload.inspect': true,
  'workload.logs': true,
  'workload.stats': true,
  'workload.why': true,
  'container.exec': false,
  'config.create': false,
  'config.get': true,
  'config.update': false,
  'config.delete': false,
  'config.list': true,
  'fleet.status': true,
  'fleet.what-if': true,
  'node.list': true,
  'node.info': true,
  'node.pending': true,
  'node.approve': true,
  'node.drain': true,
  'node.undrain': true,
  'node.cordon': true,
  'node.uncordon': true,
  'node.retire': true,
  'node.label': false,
  'node.taint': false,
  'node.thaw': false,
  'gpu.release': false,
  'node.token': false,
  'event.list': true,
  'ledger.info': true,
  'ledger.submit': true,
  'ledger.order': true,
  'ledger.account': true,
  'ledger.audit': true,
  'ledger.operate': false,
  'ledger.withdrawals': true,
  'molt.balance': true,
  'molt.statement': true,
  'molt.earnings': true,
  'molt.escrow': true,
  'molt.escrows': true,
  'molt.agreement': true,
  'molt.agreements': true,
  'molt.stake': true,
  'molt.tiers': true,
  'molt.withdrawal': true,
};

export function isIdempotent(name: CommandName): boolean {
  return IDEMPOTENT[name];
}
