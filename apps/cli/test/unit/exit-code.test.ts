// Shows which exit code a foreground run ends with, for every way a workload can end.
import { workloadSpecSchema, type WorkloadView } from '@clawbernetes/protocol';
import { describe, expect, it } from 'vitest';
import { exitCodeOf, invalidArguments } from '../../src/errors.ts';
import { workloadExitCode } from '../../src/run/exit-code.ts';

function ended(facts: Partial<WorkloadView>): WorkloadView {
  return {
    id: 'wl-1',
    name: 'job',
    namespace: 'default',
    state: 'failed',
    spec: workloadSpecSchema.parse({ command: ['job'] }),
    simulated: false,
    submittedAtMs: 0,
    ...facts,
  };
}

describe('workloadExitCode', () => {
  it.each([
    [{ exitCode: 0 }, false, 0],
    [{ exitCode: 3 }, false, 3],
    [{ signal: 'SIGKILL' }, false, 137],
    [{ signal: 'SIGTERM', endReason: 'timeout' }, false, 143],
    [{ signal: 'SIGTERM', endReason: 'stopped' }, true, 143],
    [{ endReason: 'command-not-found' }, false, 127],
    [{ endReason: 'command-not-executable' }, false, 126],
    [{ endReason: 'image-not-found' }, false, 125],
    [{ state: 'cancelled' }, true, 130],
    [{ state: 'cancelled' }, false, 125],
    [{ state: 'rejected' }, false, 125],
  ] as const)('%o, stop requested: %s → %i', (facts, stopRequested, code) => {
    expect(workloadExitCode(ended(facts), stopRequested)).toBe(code);
  });
});

describe('exitCodeOf', () => {
  it('knows the codes of the API, its own, and takes everything else as general', () => {
    expect(exitCodeOf({ code: 'not-found' })).toBe(4);
    expect(exitCodeOf({ code: 'unauthenticated' })).toBe(3);
    expect(exitCodeOf(invalidArguments('no'))).toBe(5);
    expect(exitCodeOf(new Error('bug'))).toBe(1);
    expect(exitCodeOf({ code: 'toString' })).toBe(1);
  });

  it.each([
    ['insufficient-funds', 1],
    ['escrow-not-found', 4],
    ['address-own', 5],
    ['amount-too-large', 5],
    ['signature-missing', 3],
    ['signer-not-allowed', 3],
    ['nonce-replayed', 1],
    ['ledger-foreign', 1],
  ])('of a ledger that refuses with %s: %i', (code, exitCode) => {
    expect(exitCodeOf({ code })).toBe(exitCode);
  });
});
