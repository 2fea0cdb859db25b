// Shows which taints a toleration is for, and which labels meet a term.
import { describe, expect, test } from 'vitest';
import type { LabelTerm, Taint } from '@clawbernetes/protocol';
import { expelling, meets, repelling, tolerates, unmetWeight } from '../../src/scheduler/node-constraints.ts';

const taint: Taint = { key: 'team', value: 'vision', effect: 'no-schedule' };

describe('tolerations', () => {
  test.each([
    [{ key: 'team' }, true],
    [{ key: 'team', value: 'vision' }, true],
    [{ key: 'team', value: 'vision', effect: 'no-schedule' }, true],
    [{ key: 'team', value: '' }, false],
    [{ key: 'team', effect: 'no-execute' }, false],
    [{ key: 'tea' }, false],
  ] as const)('%j', (toleration, expected) => {
    expect(tolerates([{ key: 'other' }, toleration], taint)).toBe(expected);
  });

  test('each effect does its own: no-execute also keeps new work away, prefer-no-schedule never does', () => {
    const effects = ['no-schedule', 'prefer-no-schedule', 'no-execute'] as const;
    const taints = effects.map((effect) => ({ ...taint, effect }));
    expect(repelling(taints, []).map(({ effect }) => effect)).toEqual(['no-schedule', 'no-execute']);
    expect(expelling(taints, []).map(({ effect }) => effect)).toEqual(['no-execute']);
  });
});

describe('terms', () => {
  const labels = { rack: 'a', empty: '' };
  const term = (label: string, operator: LabelTerm['operator'], ...values: string[]): LabelTerm => ({
    ...{ label, operator, values },
  });

  test.each([
    [term('rack', 'in', 'b', 'a'), true],
    [term('rack', 'in', 'b'), false],
    [term('zone', 'in', 'a'), false],
    [term('rack', 'not-in', 'b'), true],
    [term('rack', 'not-in', 'a'), false],
    [term('zone', 'not-in', 'a'), true],
    [term('empty', 'exists'), true],
    [term('zone', 'exists'), false],
    [term('zone', 'not-exists'), true],
    [term('empty', 'not-exists'), false],
    [term('toString', 'exists'), false],
  ])('%j', (asked, expected) => {
    expect(meets(labels, asked)).toBe(expected);
  });

  test('weigh what is not met', () => {
    const preferred = [
      { ...term('rack', 'in', 'a'), weight: 5 },
      { ...term('zone', 'exists'), weight: 3 },
      { ...term('rack', 'in', 'b'), weight: 1 },
    ];
    expect(unmetWeight(labels, preferred)).toBe(4);
  });
});
