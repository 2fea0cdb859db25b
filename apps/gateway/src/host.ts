import type { Clock, Logger, Random } from '@clawbernetes/kernel';
import type { KeyPair } from '@clawbernetes/identity';
import type { Schema, Store } from '@clawbernetes/storage';
import type { OpenSegments } from '@clawbernetes/telemetry';
import type { SettlementSource } from './settlement/settlement-keeper.ts';

/** All that a gateway needs of the world around it; the simulator has a virtual one. */
export interface GatewayHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The gateway's identity. */
  readonly key: KeyPair;
  readonly openStore: (schema: Schema) => Promise<Store>;
  /** What holds the store, for people: an engine and where it is. */
  readonly storage: string;
  /** Where logs are kept; absent = files. */
  readonly segments?: OpenSegments;
  /** The ledger, where this gateway has the settlement role. */
  readonly settlement?: SettlementSource;
}
