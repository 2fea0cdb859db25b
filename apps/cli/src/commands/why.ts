import type { CommandOutput } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { paintState } from '../output/colours.ts';
import { count, oneLine } from '../output/phrases.ts';
import { renderFacts, type Facts } from '../output/table.ts';
import { waitFacts } from '../output/wait-text.ts';
import { devicesText } from '../output/workload-phrases.ts';

type Why = CommandOutput<'workload.why'>;

/** Of what led to a state, for people: the newest. */
const SHOWN = 10;

export async function explainWorkload({ context, operands: [workload = ''] }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('workload.why', { workload });
  await context.print(answer, () => whyText(context, answer));
}

function whyText(context: Context, why: Why): string {
  const { colours } = context.terminal;
  const facts = renderFacts([
    ['Name', why.name],
    ['State', paintState(colours, why.state)],
    ...(why.waiting ? waitFacts(context, why.waiting) : []),
    ...(why.placement ? placementFacts(why.placement) : []),
  ]);
  return `${facts}\n\nHOW IT CAME TO THIS\n${chainText(context, why)}`;
}

function placementFacts({
  node,
  devices,
  gpuMilli,
  nodes,
  candidates,
  retried,
  ...trace
}: NonNullable<Why['placement']>): Facts {
  const gpus = devices.length > 0 ? `, ${devicesText({ devices, gpuMilli })}` : '';
  const { cost, runnerUp, others = [] } = trace;
  return [
    ['Placed on', `${node}${gpus}`],
    [
      'Looked at',
      nodes === undefined
        ? undefined
        : `${count(nodes, 'node')}${retried ? ' that had changed since it was tried before' : ''}, ${candidates} had room`,
    ],
    ['The others', others.map(({ message }) => message).join(', ')],
    ['Chosen', cost === undefined ? undefined : chosen(cost, runnerUp)],
  ];
}

/** Costs have no unit that means anything by itself: they are shown where there are two. */
function chosen(cost: number, runnerUp: NonNullable<Why['placement']>['runnerUp']): string {
  const least = 'it costs the rest of the fleet least there';
  if (runnerUp === undefined) return 'the only one with room';
  return `${least} (${figure(cost)}); second was ${runnerUp.node} (${figure(runnerUp.cost)})`;
}

function figure(cost: number): string {
  return String(Number(cost.toPrecision(6)));
}

function chainText({ terminal: { colours } }: Context, { chain }: Why): string {
  const hidden =
    chain.length > SHOWN ? [colours.dim(`… ${chain.length - SHOWN} before; -f json has them`)] : [];
  const lines = chain
    .slice(-SHOWN)
    .map(({ timeMs, message, cause }) =>
      [
        colours.dim(new Date(timeMs).toISOString().replace('T', ' ').slice(0, 19)),
        oneLine(message, 200),
        colours.dim(`(${cause})`),
      ].join('  '),
    );
  return [...hidden, ...lines].join('\n');
}
