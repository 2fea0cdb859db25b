import { CodedError } from '@clawbernetes/kernel';
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import {
  GatewayFrameSchema,
  NodeFrameSchema,
  type GatewayFrame,
  type NodeFrame,
} from './generated/clawbernetes/node/v1/node_pb.ts';
import { encodeAcknowledgement, encodeStart } from './frequent-frames.ts';

/**
 * Versions of the node protocol that this code speaks, both ends included. From 2 on a node ends by itself
 * what may not run without contact, and holds members of gangs until all are ready.
 */
export const PROTOCOL_VERSIONS = { min: 1, max: 2 } as const;
export const DEFAULT_MAX_FRAME_BYTES = 1_048_576;

const ID_FIELD = NodeFrameSchema.field.id.number;
const HEARTBEAT_FIELD = NodeFrameSchema.field.heartbeat.number;

export type NodeBody = NodeFrame['body'];
export type GatewayBody = GatewayFrame['body'];

export function encodeNodeFrame(
  id: number,
  body: MessageInitShape<typeof NodeFrameSchema>['body'],
): Uint8Array {
  return toBinary(
    NodeFrameSchema,
    create(NodeFrameSchema, { id: BigInt(id), body: body ?? { case: undefined } }),
  );
}

export function encodeGatewayFrame(
  id: number,
  body: MessageInitShape<typeof GatewayFrameSchema>['body'],
): Uint8Array {
  return frequent(id, body) ?? encodeAny(id, body);
}

function frequent(
  id: number,
  body: MessageInitShape<typeof GatewayFrameSchema>['body'],
): Uint8Array | undefined {
  if (body?.case === 'startWorkload') return encodeStart(id, body.value);
  if (body?.case === 'statusAck') return encodeAcknowledgement(id, body.value);
  return undefined;
}

function encodeAny(id: number, body: MessageInitShape<typeof GatewayFrameSchema>['body']): Uint8Array {
  return toBinary(
    GatewayFrameSchema,
    create(GatewayFrameSchema, { id: BigInt(id), body: body ?? { case: undefined } }),
  );
}

/** @throws CodedError `bad-frame` for bytes that are not a frame. */
export function decodeNodeFrame(bytes: Uint8Array): NodeFrame {
  return decode(() => fromBinary(NodeFrameSchema, bytes));
}

/** The id of a heartbeat of a node, told by its first bytes alone; undefined for whatever else comes. */
export function heartbeatId(bytes: Uint8Array): bigint | undefined {
  try {
    const reader = new BinaryReader(bytes);
    if (reader.tag()[0] !== ID_FIELD) return undefined;
    const id = BigInt(reader.uint64());
    return reader.tag()[0] === HEARTBEAT_FIELD ? id : undefined;
  } catch {
    return undefined;
  }
}

/** @throws CodedError `bad-frame` for bytes that are not a frame. */
export function decodeGatewayFrame(bytes: Uint8Array): GatewayFrame {
  return decode(() => fromBinary(GatewayFrameSchema, bytes));
}

function decode<Frame extends { body: { case: string | undefined } }>(parse: () => Frame): Frame {
  try {
    return parse();
  } catch (cause) {
    throw new CodedError(
      'The peer sent bytes that are not a frame of the node protocol.',
      { code: 'bad-frame' },
      { cause },
    );
  }
}
