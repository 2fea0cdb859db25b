import { DEFAULT_FLEET_OPTIONS, type FleetOptions } from '@clawbernetes/fleet';
import { DEFAULT_MAX_FRAME_BYTES } from '@clawbernetes/protocol';
import { DEFAULT_LOG_BYTES } from '@clawbernetes/telemetry';

export interface GatewayOptions {
  /** Where the API is reached, for people and for status. */
  readonly url: string;
  readonly logFolder: string;
  readonly fleet: FleetOptions;
  readonly heartbeatIntervalMs: number;
  readonly maxFrameBytes: number;
  /** Connections that have not proven who they are. */
  readonly maxUnprovenConnections: number;
  /** Time to prove it, and to finish an HTTP upgrade or a request, ms. */
  readonly handshakeMs: number;
  /** A WebSocket that answers no ping for two of these is gone, however open it looks, ms. */
  readonly pingMs: number;
  /** Bytes queued for one node; a node that does not read loses its connection, not its work. */
  readonly maxBacklogBytes: number;
  /** Kept of each workload's log, bytes. */
  readonly maxLogBytes: number;
  /** Requests that wait for the end of a workload. */
  readonly maxWaiters: number;
}

export const DEFAULT_GATEWAY_OPTIONS: Omit<GatewayOptions, 'url' | 'logFolder'> = {
  fleet: DEFAULT_FLEET_OPTIONS,
  heartbeatIntervalMs: 10_000,
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  maxUnprovenConnections: 2_048,
  handshakeMs: 10_000,
  pingMs: 15_000,
  maxBacklogBytes: 16 * 1024 * 1024,
  maxLogBytes: DEFAULT_LOG_BYTES,
  maxWaiters: 10_000,
};
