/**
 * A connection that carries whole frames in order, or dies: a WebSocket in production, a virtual link in the
 * simulator. Listeners are set once, before the first frame can arrive.
 */
export interface FrameChannel {
  /** Address of the peer, for logs and messages. */
  readonly remote: string;
  /** Bytes handed to `send` that the network has not taken yet; senders hold back above their limit. */
  readonly backlogBytes: number;
  /**
   * When the newest frame came, handled or not, by the monotonic clock; now, as long as this end reads none
   * since too many wait. Undefined before the first; absent where frames are handled as they come.
   */
  readonly arrivedMs?: number | undefined;
  send(frame: Uint8Array): void;
  close(code: number, reason: string): void;
  onFrame(listener: (frame: Uint8Array) => void): void;
  /** Told of a frame that has come and has to wait for its turn; absent where none does. */
  onWaiting?(listener: (frame: Uint8Array) => void): void;
  /** Does something once what has arrived by now is handled; absent where that is handled as it comes. */
  inTurn?(action: () => void): void;
  /** Called once, however the connection ended. */
  onClose(listener: (code: number, reason: string) => void): void;
}
