import type { MessageInitShape } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type {
  EpochSchema,
  StartWorkloadSchema,
  StatusAckSchema,
} from './generated/clawbernetes/node/v1/node_pb.ts';

type Start = MessageInitShape<typeof StartWorkloadSchema>;
type Acknowledgement = MessageInitShape<typeof StatusAckSchema>;

/** Its memory serves one frame after the other; what it answers is a copy. */
let shared = new BinaryWriter();

/**
 * An order to start as a `GatewayFrame`, the same bytes as by the generated code at a fifth of the time:
 * thousands leave in a second. Undefined for one with what only members of gangs are told.
 */
export function encodeStart(id: number, start: Start): Uint8Array | undefined {
  const isPlain = start.$typeName === undefined && start.environment === undefined && start.barrier !== true;
  if (!isPlain) return undefined;
  return frame(id, 5, (writer) => {
    text(writer, 1, start.attemptId);
    text(writer, 2, start.workloadId);
    text(writer, 3, start.namespace);
    if (start.epoch) epoch(writer, 4, start.epoch);
    if (start.spec && start.spec.length > 0) writer.tag(5, WireType.LengthDelimited).bytes(start.spec);
    for (const device of start.devices ?? []) writer.tag(6, WireType.LengthDelimited).string(device);
  });
}

/** As `encodeStart`, an acknowledgement of statuses. */
export function encodeAcknowledgement(id: number, value: Acknowledgement): Uint8Array | undefined {
  const { revisions = [] } = value;
  if (value.$typeName !== undefined) return undefined;
  return frame(id, 7, (writer) => {
    for (const { attemptId, revision } of revisions) {
      writer.tag(1, WireType.LengthDelimited).fork();
      text(writer, 1, attemptId);
      natural(writer, 2, revision);
      writer.join();
    }
  });
}

function frame(id: number, field: number, write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = shared;
  try {
    natural(writer, 1, BigInt(id));
    writer.tag(field, WireType.LengthDelimited).fork();
    write(writer);
    writer.join();
    return writer.finish();
  } catch (error) {
    // What was half written must not begin the next frame.
    shared = new BinaryWriter();
    throw error;
  }
}

function epoch(writer: BinaryWriter, field: number, value: MessageInitShape<typeof EpochSchema>): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  natural(writer, 1, value.term);
  natural(writer, 2, value.counter);
  writer.join();
}

/** As proto3 has it, nothing is written for what is empty or zero. */
function text(writer: BinaryWriter, field: number, value: string | undefined): void {
  if (value !== undefined && value !== '') writer.tag(field, WireType.LengthDelimited).string(value);
}

function natural(writer: BinaryWriter, field: number, value: bigint | undefined): void {
  if (value !== undefined && value !== 0n) writer.tag(field, WireType.Varint).uint64(value);
}
