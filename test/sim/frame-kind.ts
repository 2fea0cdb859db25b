const ID_TAG = 0x08;
const LAST_OF_VARINT = 0x80;
/** Numbers of node.proto. */
const HEARTBEAT = 4;
const LEASE_GRANT = 12;

/** Whether a frame only says that its sender is there: what follows from that is seen by what is stored. */
export function isSignOfLife(frame: Uint8Array, { fromGateway }: { readonly fromGateway: boolean }): boolean {
  return bodyField(frame) === (fromGateway ? LEASE_GRANT : HEARTBEAT);
}

/** The field that holds the body, told without reading it: the id comes first, as a varint. */
function bodyField(frame: Uint8Array): number {
  let at = 0;
  if (frame[at] === ID_TAG) {
    at += 1;
    while ((frame[at] ?? 0) >= LAST_OF_VARINT) at += 1;
    at += 1;
  }
  return (frame[at] ?? 0) >>> 3;
}
