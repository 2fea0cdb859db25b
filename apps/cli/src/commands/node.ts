import type { NodeView } from '@clawbernetes/protocol';
import { formatDuration } from '@clawbernetes/kernel';
import type { Client } from '@clawbernetes/sdk';
import type { Context } from '../context.ts';
import type { Call } from '../declare/declaration.ts';
import { paintState, type Colours } from '../output/colours.ts';
import { gpuLine } from '../output/gpu-line.ts';
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

/** Connection and eligibility in as few words as tell both; health has its own column. */
function nodeState(colours: Colours, node: NodeView): string {
  if (!node.approved && node.eligibility !== 'retired') return colours.yellow('pending');
  const tainted = node.taints.length > 0 ? colours.dim(' tainted') : '';
  if (node.connectivity === 'connected') return paintState(colours, node.eligibility) + tainted;
  const connectivity = paintState(colours, node.connectivity);
  return node.eligibility === 'schedulable' ? connectivity : `${connectivity}, ${node.eligibility}`;
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
    ['Connection', paintState(colours, node.connectivity)],
    ['Work', `${paintState(colours, node.eligibility)}${eligibilityHelp(node, config.programName, nowMs)}`],
    [
      'Health',
      paintState(colours, node.health) + (node.healthReason ? `: ${oneLine(node.healthReason, 200)}` : ''),
    ],
    [
      'Approved',
      node.approved || node.eligibility === 'retired'
        ? undefined
        : `no; run: ${config.programName} node approve ${node.name}`,
    ],
    [
      'CPU',
      `${oneLine(node.cpuModel)}: ${cores(node.free.cpuMilli)} of ${cores(node.capacity.cpuMilli)} cores free`,
    ],
    ['Memory', `${memory(node.free.memoryMib)} of ${memory(node.capacity.memoryMib)} free`],
    ['GPUs', node.gpus.map((gpu) => gpuLine(colours, gpu, nowMs)).join('\n') || 'none'],
    ['Executors', node.executors.map((executor) => executorLine(colours, executor)).join('\n')],
    [
      'Labels',
      Object.entries(node.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
    ['Taints', node.taints.map(taintText).join(' ') || undefined],
    ['Workloads', count(node.attempts, 'live attempt')],
    ['Joined', `${age(node.joinedAtMs, nowMs)} ago, last seen ${age(node.lastSeenAtMs, nowMs)} ago`],
  ]);
}

/** What to do about a node that takes no work. */
function eligibilityHelp(
  { name, eligibility, drain, attempts }: NodeView,
  program: string,
  nowMs: number,
): string {
  switch (eligibility) {
    case 'cordoned':
    case 'drained':
      return `; to give it work again: ${program} node uncordon ${name}`;
    case 'draining': {
      const left = drain?.deadlineAtMs === undefined ? undefined : drain.deadlineAtMs - nowMs;
      const then = left === undefined ? 'they may take as long as they need' : deadlineText(left);
      return `; ${count(attempts, 'workload')} left, ${then}; undo: ${program} node uncordon ${name}`;
    }
    case 'retired':
      return `; to admit it anew: ${program} node approve ${name}`;
    case 'joining':
    case 'verifying':
    case 'schedulable':
      return '';
  }
}

function deadlineText(leftMs: number): string {
  return leftMs > 0 ? `moved away in ${formatDuration(leftMs)}` : 'being moved away';
}

function taintText({ key, value, effect }: NodeView['taints'][number]): string {
  return `${key}${value === '' ? '' : `=${value}`}:${effect}`;
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

export async function approveNode({ context, operands: [node = ''] }: Call): Promise<void> {
  const client = await context.client();
  const view = await client.command('node.approve', { node });
  await context.print(view, () => `${view.name} is part of the fleet now.`);
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
