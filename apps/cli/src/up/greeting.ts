import type { NodeView } from '@clawbernetes/protocol';
import type { Context } from '../context.ts';
import { gpuSummary } from '../output/gpu-summary.ts';
import { cores, memory, oneLine } from '../output/phrases.ts';
import { renderFacts } from '../output/table.ts';

/** What `up` found on this machine and where it can be reached. */
export function describeHardware(context: Context, node: NodeView, url: string): string {
  const { yellow } = context.terminal.colours;
  const executors = node.executors.map(({ kind, available, sandbox }) =>
    available ? `${kind} (${sandbox})` : `no ${kind}`,
  );
  const limitations = node.executors.flatMap((executor) => (executor.available ? executor.limitations : []));
  return renderFacts([
    ['API', `${url}  (authorise with: ${context.config.programName} token)`],
    ['Node', node.simulated ? `${node.name} ${yellow('(simulated GPUs)')}` : node.name],
    ['CPU', `${cores(node.capacity.cpuMilli)} cores, ${oneLine(node.cpuModel)}`],
    ['Memory', memory(node.capacity.memoryMib)],
    ['GPUs', gpuSummary(node)],
    ['Executors', executors.join(', ')],
    ['Limits', [...new Set(limitations)].map((limitation) => `${yellow('!')} ${limitation}`).join('\n')],
    ['Drained', node.eligibility === 'schedulable' ? undefined : drainedHint(context, node)],
  ]);
}

function drainedHint({ config }: Context, node: NodeView): string {
  return `the node is ${node.eligibility} and takes no work; undo: ${config.programName} node undrain ${node.name}`;
}

export function howToGoOn({ config, terminal }: Context): string {
  const { bold } = terminal.colours;
  const { programName: name } = config;
  return [
    bold('It stays up until Ctrl-C. In another terminal:'),
    `  ${name} run -- echo hello`,
    `  ${name} run --gpus 1 -- python3 train.py`,
    `  ${name} status`,
    `  ${name} --help`,
  ].join('\n');
}
