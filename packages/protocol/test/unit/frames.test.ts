// Shows that whatever the two ends say arrives as it was said, and that bytes which are no frame are refused,
// not believed.
import { create, toBinary } from '@bufbuild/protobuf';
import { errorCode } from '@clawbernetes/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attemptsDigestText,
  decodeGatewayFrame,
  decodeNodeFrame,
  encodeGatewayFrame,
  encodeNodeFrame,
  END_REASONS,
  heartbeatId,
  fromWireStatus,
  NODE_ATTEMPT_STATES,
  toWireStatus,
  type AttemptStatus,
} from '../../src/index.ts';
import { GatewayFrameSchema } from '../../src/generated/clawbernetes/node/v1/node_pb.ts';

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
/** 0 is how the wire says "not yet". */
const timeMs = fc.integer({ min: 1, max: 8_640_000_000_000_000 });
const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
const epoch = fc.record({ term: count, counter: count });
const status: fc.Arbitrary<AttemptStatus> = fc.record(
  {
    attemptId: text,
    epoch,
    revision: count,
    state: fc.constantFrom(...NODE_ATTEMPT_STATES),
    exitCode: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    signal: text,
    reason: fc.constantFrom(...END_REASONS),
    message: text,
    acceptedAtMs: timeMs,
    startedAtMs: timeMs,
    finishedAtMs: timeMs,
    sandbox: fc.constantFrom('bubblewrap', 'container', 'none'),
    limitations: fc.array(text, { maxLength: 3 }),
    logEnd: count,
  },
  {
    requiredKeys: [
      'attemptId',
      'epoch',
      'revision',
      'state',
      'acceptedAtMs',
      'sandbox',
      'limitations',
      'logEnd',
    ],
  },
);

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return errorCode(error);
  }
}

describe('statuses', () => {
  test('every one survives the wire, with what it has and without what it has not', () => {
    fc.assert(
      fc.property(fc.array(status, { maxLength: 5 }), (statuses) => {
        const value = { statuses: statuses.map((one) => toWireStatus(one)) };
        const { body } = decodeNodeFrame(encodeNodeFrame(1, { case: 'statusReport', value }));
        if (body.case !== 'statusReport') throw new Error('another frame came back');
        expect(body.value.statuses.map((one) => fromWireStatus(one))).toEqual(statuses);
      }),
    );
  });

  test.each(NODE_ATTEMPT_STATES)('the state %s is the same on both ends', (state) => {
    const sent = { ...fc.sample(status, { numRuns: 1, seed: 1 })[0], state } as AttemptStatus;
    const value = { statuses: [toWireStatus(sent)] };
    const { body } = decodeNodeFrame(encodeNodeFrame(1, { case: 'statusReport', value }));
    if (body.case !== 'statusReport' || !body.value.statuses[0]) throw new Error('another frame came back');
    expect(fromWireStatus(body.value.statuses[0]).state).toBe(state);
  });

  test('an exit code of 0 is not the same as none', () => {
    for (const exitCode of [0, undefined]) {
      const wire = { attemptId: 'a', state: 6, ...(exitCode === undefined ? {} : { exitCode }) } as const;
      const { body } = decodeNodeFrame(
        encodeNodeFrame(1, { case: 'statusReport', value: { statuses: [wire] } }),
      );
      if (body.case !== 'statusReport' || !body.value.statuses[0]) throw new Error('another frame came back');
      expect(fromWireStatus(body.value.statuses[0]).exitCode).toBe(exitCode);
    }
  });

  test('a state, a number or a word that this version does not know', () => {
    const parse = (wire: object): (() => AttemptStatus) => {
      // What a type would not let anyone send.
      const value = { statuses: [{ state: 1, ...wire } as ReturnType<typeof toWireStatus>] };
      const { body } = decodeNodeFrame(encodeNodeFrame(1, { case: 'statusReport', value }));
      if (body.case !== 'statusReport' || !body.value.statuses[0]) throw new Error('another frame came back');
      const [sent] = body.value.statuses;
      return () => fromWireStatus(sent);
    };
    expect(codeOf(parse({ state: 0 }))).toBe('bad-frame');
    expect(codeOf(parse({ state: 42 }))).toBe('bad-frame');
    for (const field of ['revision', 'logEnd']) {
      expect(codeOf(parse({ [field]: 2n ** 53n }))).toBe('bad-frame');
      expect(codeOf(parse({ [field]: 2n ** 53n - 1n }))).toBeUndefined();
    }
    expect(codeOf(parse({ epoch: { term: 2n ** 60n, counter: 1n } }))).toBe('bad-frame');
    // A newer node's words are not worth losing its report over.
    expect(parse({ reason: 'moonlight', sandbox: 'vacuum' })()).toMatchObject({ sandbox: 'none' });
    expect(parse({ reason: 'moonlight' })()).not.toHaveProperty('reason');
  });
});

describe('frames', () => {
  test('carry ids and bytes unchanged', () => {
    fc.assert(
      fc.property(count, text, fc.uint8Array({ maxLength: 500 }), (id, attemptId, records) => {
        const value = { attemptId, position: BigInt(id), records };
        const node = decodeNodeFrame(encodeNodeFrame(id, { case: 'logChunk', value }));
        expect(node.id).toBe(BigInt(id));
        expect(node.body).toMatchObject({ case: 'logChunk', value });
        const start = { attemptId, workloadId: attemptId, spec: records, devices: [attemptId] };
        const gateway = decodeGatewayFrame(encodeGatewayFrame(id, { case: 'startWorkload', value: start }));
        expect(gateway.body).toMatchObject({ case: 'startWorkload', value: start });
      }),
    );
  });

  const anyText = fc.string({ maxLength: 40, unit: 'grapheme' });
  const anyCount = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

  test('orders and acknowledgements are the bytes that the generated code writes', () => {
    const start = fc.record(
      {
        ...{ attemptId: anyText, workloadId: anyText, namespace: anyText, barrier: fc.boolean() },
        epoch: fc.record({ term: anyCount, counter: anyCount }),
        spec: fc.uint8Array({ maxLength: 500 }),
        devices: fc.array(anyText, { maxLength: 3 }),
        environment: fc.dictionary(anyText, anyText),
      },
      { requiredKeys: [] },
    );
    const revisions = fc.array(fc.record({ attemptId: anyText, revision: anyCount }));
    const body = fc.oneof(
      start.map((value) => ({ case: 'startWorkload', value }) as const),
      revisions.map((all) => ({ case: 'statusAck', value: { revisions: all } }) as const),
    );
    fc.assert(
      fc.property(count, body, (id, sent) => {
        const generated = toBinary(
          GatewayFrameSchema,
          create(GatewayFrameSchema, { id: BigInt(id), body: sent }),
        );
        expect(encodeGatewayFrame(id, sent)).toEqual(generated);
      }),
      { numRuns: 1000 },
    );
  });

  test('a frame that could not be written leaves nothing behind', () => {
    const value = { attemptId: 'a', epoch: { term: -1n, counter: 1n } };
    expect(() => encodeGatewayFrame(1, { case: 'startWorkload', value })).toThrow('uint64');
    const acknowledged = { revisions: [{ attemptId: 'b', revision: 2n }] };
    const next = encodeGatewayFrame(2, { case: 'statusAck', value: acknowledged });
    expect(decodeGatewayFrame(next)).toMatchObject({ id: 2n, body: { value: acknowledged } });
  });

  test('any other bytes are refused with a code, or are a frame that says nothing known', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of [decodeNodeFrame, decodeGatewayFrame])
          expect([undefined, 'bad-frame']).toContain(codeOf(() => decode(bytes)));
      }),
      { numRuns: 1000 },
    );
  });

  test('a heartbeat is told by its beginning, and nothing else is one', () => {
    const others: readonly Parameters<typeof encodeNodeFrame>[1][] = [
      { case: 'statusReport', value: {} },
      { case: 'logChunk', value: { attemptId: 'a', records: Buffer.from('x') } },
      { case: undefined },
    ];
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.uint8Array(), (id, digest) => {
        const heartbeat = { case: 'heartbeat' as const, value: { timestampMs: 9n, attemptsDigest: digest } };
        expect(heartbeatId(encodeNodeFrame(id, heartbeat))).toBe(BigInt(id));
        for (const body of others) expect(heartbeatId(encodeNodeFrame(id, body))).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        const id = heartbeatId(bytes);
        if (codeOf(() => decodeNodeFrame(bytes)) === undefined && id !== undefined)
          expect(decodeNodeFrame(bytes)).toMatchObject({ id });
      }),
    );
  });

  test('a frame that was cut short is never taken for a whole one', () => {
    const value = { attemptId: 'attempt', position: 7n, records: new Uint8Array(50).fill(9) };
    const whole = encodeNodeFrame(1, { case: 'logChunk', value });
    for (let length = 3; length < whole.length; length += 1)
      expect(codeOf(() => decodeNodeFrame(whole.subarray(0, length)))).toBe('bad-frame');
  });

  test('what a newer peer adds is skipped', () => {
    const known = encodeNodeFrame(5, { case: 'heartbeat', value: { timestampMs: 9n } });
    // Field 200 of a later version, length-delimited.
    const { id, body } = decodeNodeFrame(Buffer.concat([known, Buffer.from([0xc2, 0x0c, 0x02, 0x08, 0x01])]));
    expect(id).toBe(5n);
    expect(body).toMatchObject({ case: 'heartbeat', value: { timestampMs: 9n } });
  });
});

test('the digest of attempts does not depend on their order, and on everything else', () => {
  const attempts = fc.uniqueArray(fc.record({ attemptId: text, epoch }), {
    selector: (one) => one.attemptId,
  });
  fc.assert(
    fc.property(attempts, fc.nat(), (held, turn) => {
      const at = held.length === 0 ? 0 : turn % held.length;
      const turned = [...held.slice(at), ...held.slice(0, at)];
      expect(attemptsDigestText(turned)).toBe(attemptsDigestText(held));
      if (held[0]) expect(attemptsDigestText(held.slice(1))).not.toBe(attemptsDigestText(held));
    }),
  );
});
