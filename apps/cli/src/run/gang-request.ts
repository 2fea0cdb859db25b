import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import { invalidArguments } from '../errors.ts';
import type { RunOptions } from './run-options.ts';

type Gang = NonNullable<WorkloadSpecInput['gang']>;
type Spread = NonNullable<WorkloadSpecInput['spread']>;

/** What the options say of members that run together. The gateway checks the words and numbers. */
export function gangRequest(options: RunOptions): Pick<WorkloadSpecInput, 'gang' | 'spread'> {
  const { members, minMembers, topology, spreadBy, maxSkew } = options;
  if (members === undefined) {
    const without = { '--min-members': minMembers, '--topology': topology, '--spread-by': spreadBy };
    const [first] = Object.entries(without).flatMap(([name, value]) => (value === undefined ? [] : name));
    if (first) throw invalidArguments(`${first} is for gangs: say how many run together with --members.`);
  }
  if (maxSkew !== undefined && spreadBy === undefined)
    throw invalidArguments('--max-skew goes with --spread-by: say over which label members are spread.');
  if (members === undefined) return {};
  const gang: Gang = {
    members,
    ...(minMembers === undefined ? {} : { minMembers }),
    ...(topology === undefined ? {} : { topology: levelOf(topology) }),
  };
  return { gang, ...(spreadBy === undefined ? {} : { spread: spreadOf(spreadBy, maxSkew) }) };
}

function levelOf(text: string): NonNullable<Gang['topology']> {
  const { name, mode } = withMode(text);
  // A level that is none is told by the gateway, with those that there are.
  return { level: name as NonNullable<Gang['topology']>['level'], ...mode };
}

function spreadOf(text: string, maxSkew: number | undefined): Spread {
  const { name, mode } = withMode(text);
  return { by: name, ...mode, ...(maxSkew === undefined ? {} : { maxSkew }) };
}

/** `rack`, `rack=preferred`. */
function withMode(text: string): { name: string; mode: { mode?: 'required' | 'preferred' } } {
  const [name = '', mode, ...more] = text.split('=');
  if (mode === undefined) return { name, mode: {} };
  if ((mode !== 'required' && mode !== 'preferred') || more.length > 0)
    throw invalidArguments(
      `"${text}" is not understood; write ${name}, ${name}=required or ${name}=preferred.`,
    );
  return { name, mode: { mode } };
}
