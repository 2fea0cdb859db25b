import type { CommandName, NodeView } from '@clawbernetes/protocol';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { paintState, type Colours } from '../output/colours.ts';
import { gpuSummary } from '../output/gpu-summary.ts';
import { age, cores, count, memory, oneLine } from '../output/phrases.ts';
import { renderFacts } from '../output/table.ts';

const PAGE = 1000;

export async function listNodes({ context }: Call): Promise<void> {
  const client = await context.client();
  const nodes = await allNodes(client);
  await context.print({ nodes }, async () => {
    const { programName: program } = context.config;
    if (nodes.length === 0)
      return `No nodes yet. Start one with "${program} up", or make a token: "${program} node token".`;
    return nodeTable(context, nodes);
  });
}

async function allNodes(client: Client): Promise<readonly NodeView[]> {
  const nodes: NodeView[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.command('node.list', {
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    nodes.push(...page.nodes);
    cursor = page.next;
  } while (cursor !== undefined);
  return nodes;
}

async function nodeTable(
  { terminal: { colours }, clock, columns }: Context,
  nodes: readonly NodeView[],
): Promise<string> {
  const { renderTable } = await import('../output/table.ts');
  const nowMs = clock.nowMs();
  return renderTable(
    ['NAME', 'STATE', 'HEALTH', 'GPUS', 'CPU FREE', 'MEMORY FREE', 'WORKLOADS', 'SEEN'],
    nodes.map((node) => [
      node.simulated ? `${node.name} ${colours.yellow('(simulated)')}` : node.name,
      nodeState(colours, node),
      paintState(colours, node.health),
      oneLine(gpuSummary(node)),
      `${cores(node.free.cpuMilli)}/${cores(node.capacity.cpuMilli)}`,
      `${memory(node.free.memoryMib)}/${memory(node.capacity.memoryMib)}`,
      String(node.attempts),
      age(node.lastSeenAtMs, nowMs),
    ]),
    { columns, elastic: 'GPUS', dispensable: ['MEMORY FREE', 'SEEN', 'CPU FREE'] },
  );
}

/** The axis that matters most to the reader: where connected and schedulable, one word is enough. */
function nodeState(colours: Colours, node: NodeView): string {
  if (!node.approved) return colours.yellow('pending');
  if (node.connectivity !== 'connected') return paintState(colours, node.connectivity);
  return paintState(colours, node.eligibility);
}

export async function showNode({ context, operands: [node = ''] }: Call): Promise<void> {
  const client = await context.client();
  await printNode(context, await client.command('node.info', { node }));
}

async function printNode(context: Context, node: NodeView): Promise<void> {
  await context.print(node, () => nodeText(context, node));
}

function nodeText({ terminal: { colours }, clock, config }: Context, node: NodeView): string {
  const nowMs = clock.nowMs();
  return renderFacts([
    ['Name', node.simulated ? `${node.name} ${colours.yellow('(simulated GPUs)')}` : node.name],
    ['Id', node.id],
    ['Host', `${node.hostname}, agent ${node.agentVersion}, key ${node.fingerprint}`],
    ['State', `${paintState(colours, node.connectivity)}, ${paintState(colours, node.eligibility)}`],
    [
      'Health',
      paintState(colours, node.health) + (node.healthReason ? `: ${oneLine(node.healthReason, 200)}` : ''),
    ],
    ['Approved', node.approved ? undefined : `no; run: ${config.programName} node approve ${node.name}`],
    [
      'CPU',
      `${oneLine(node.cpuModel)}: ${cores(node.free.cpuMilli)} of ${cores(node.capacity.cpuMilli)} cores free`,
    ],
    ['Memory', `${memory(node.free.memoryMib)} of ${memory(node.capacity.memoryMib)} free`],
    ['GPUs', node.gpus.map((gpu) => gpuLine(colours, gpu)).join('\n') || 'none'],
    ['Executors', node.executors.map((executor) => executorLine(colours, executor)).join('\n')],
    [
      'Labels',
      Object.entries(node.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
    ['Workloads', count(node.attempts, 'live attempt')],
    ['Joined', `${age(node.joinedAtMs, nowMs)} ago, last seen ${age(node.lastSeenAtMs, nowMs)} ago`],
  ]);
}

function gpuLine(colours: Colours, gpu: NodeView['gpus'][number]): string {
  const simulated = gpu.simulated ? colours.yellow(' simulated') : '';
  const health =
    gpu.health.state === 'healthy'
      ? ''
      : ` ${paintState(colours, gpu.health.state)} ${gpu.health.reason ?? ''}`;
  const user = gpu.attemptId === undefined ? '' : ` by ${gpu.attemptId}`;
  return `${gpu.index}: ${oneLine(gpu.model)} ${memory(gpu.memoryMib)} ${gpu.state}${user}${simulated}${health}`;
}

function executorLine(colours: Colours, executor: NodeView['executors'][number]): string {
  const limits = executor.limitations
    .map((limitation) => `\n  ${colours.yellow('!')} ${limitation}`)
    .join('');
  const state = executor.available ? executor.sandbox : colours.dim('not available');
  return `${executor.kind}: ${state}${limits}`;
}

export async function listPendingNodes({ context }: Call): Promise<void> {
  const client = await context.client();
  const answer = await client.command('node.pending', {});
  await context.print(answer, async () => {
    if (answer.nodes.length === 0) return 'No node waits for approval.';
    const { renderTable } = await import('../output/table.ts');
    const nowMs = context.clock.nowMs();
    return renderTable(
      ['NAME', 'ID', 'FINGERPRINT', 'HOST', 'GPUS', 'WAITS FOR'],
      answer.nodes.map((node) => [
        node.name,
        node.id,
        node.fingerprint,
        node.hostname,
        oneLine(gpuSummary(node)),
        age(node.joinedAtMs, nowMs),
      ]),
      { columns: context.columns, elastic: 'GPUS', dispensable: ['HOST', 'ID'] },
    );
  });
}

type NodeCommand = Extract<CommandName, 'node.approve' | 'node.undrain'>;

async function change(call: Call, name: NodeCommand, done: string): Promise<void> {
  const client = await call.context.client();
  const view = await client.command(name, { node: call.operands[0] ?? '' });
  await call.context.print(view, () => `${view.name} ${done}`);
}

export async function approveNode(call: Call): Promise<void> {
  await change(call, 'node.approve', 'is part of the fleet now.');
}

export async function undrainNode(call: Call): Promise<void> {
  await change(call, 'node.undrain', 'takes work again.');
}

export async function drainNode({ context, operands: [node = ''], options }: Call): Promise<void> {
  const { force = false } = options as { readonly force?: boolean };
  const client = await context.client();
  const view = await client.command('node.drain', { node, force });
  const rest = view.attempts === 0 ? 'nothing runs on it' : `${count(view.attempts, 'workload')} still on it`;
  await context.print(
    view,
    () =>
      `${view.name} is ${view.eligibility}: ${rest}. Undo with: ${context.config.programName} node undrain ${view.name}`,
  );
}

export async function makeJoinToken({ context, options }: Call): Promise<void> {
  const { approve, lifetime } = options as { readonly approve: boolean; readonly lifetime?: number };
  const client = await context.client();
  const answer = await client.command('node.token', {
    approve,
    ...(lifetime === undefined ? {} : { lifetimeMs: lifetime }),
  });
  await context.print(answer, () => answer.token);
  if (context.format === 'table') {
    const expires = new Date(answer.expiresAtMs).toISOString();
    context.remark(
      `Good for one node until ${expires}. On that machine, put it into a file that only you can read, then:\n` +
        `  clawnode --gateway ${client.url} --join-token-file <file>`,
    );
  }
}
