import { Option, type Command } from 'commander';
import { declare, declareGroup, type Runtime } from './declaration.ts';
import { duration, wholeNumber } from './option-values.ts';

export function declareFleetCommands(program: Command, runtime: Runtime): void {
  declare(program, runtime, {
    usage: 'status',
    summary: 'the fleet at a glance',
    examples: ['status', 'status -f json'],
    load: async () => (await import('../commands/status.ts')).showStatus,
  });
  declareNodeCommands(declareGroup(program, 'node', 'the machines of the fleet'), runtime);
  declare(program, runtime, {
    usage: 'events',
    summary: 'what happened in the fleet',
    options: [
      new Option('-f, --follow', 'go on with new events'),
      new Option('--from <sequence>', 'first event wanted').argParser(wholeNumber),
      new Option('--tail <count>', 'only the last ones (default: 50, at most 1000)').argParser(wholeNumber),
      new Option('--subject <id>', 'only of this workload, node or configuration entry'),
    ],
    followsWithF: true,
    examples: ['events --tail 20', 'events -f', 'events -f --format json'],
    load: async () => (await import('../commands/events.ts')).showEvents,
  });
}

function declareNodeCommands(node: Command, runtime: Runtime): void {
  declare(node, runtime, {
    usage: 'list',
    summary: 'all nodes with their state',
    examples: ['node list', 'node list -f json'],
    load: async () => (await import('../commands/node.ts')).listNodes,
  });
  declare(node, runtime, {
    usage: 'info <node>',
    summary: 'one node in full: hardware, executors, what is free',
    examples: ['node info gpu-07'],
    load: async () => (await import('../commands/node.ts')).showNode,
  });
  declare(node, runtime, {
    usage: 'drain <node>',
    summary: 'place nothing more on a node and let its work end',
    options: [new Option('--force', 'stop the work on it, too')],
    examples: ['node drain gpu-07', 'node drain gpu-07 --force'],
    load: async () => (await import('../commands/node.ts')).drainNode,
  });
  declare(node, runtime, {
    usage: 'undrain <node>',
    summary: 'make a drained node available again',
    examples: ['node undrain gpu-07'],
    load: async () => (await import('../commands/node.ts')).undrainNode,
  });
  declare(node, runtime, {
    usage: 'pending',
    summary: 'nodes that wait for approval',
    examples: ['node pending'],
    load: async () => (await import('../commands/node.ts')).listPendingNodes,
  });
  declare(node, runtime, {
    usage: 'approve <node>',
    summary: 'admit a waiting node; compare its fingerprint first',
    examples: ['node approve gpu-08'],
    load: async () => (await import('../commands/node.ts')).approveNode,
  });
  declare(node, runtime, {
    usage: 'token',
    summary: 'make a one-time token with which a node may join',
    options: [
      new Option('--no-approve', 'the node then waits for "node approve"'),
      new Option('--lifetime <duration>', 'how long it may be used (default: 1h)').argParser(duration),
    ],
    examples: ['node token', 'node token --lifetime 10m --no-approve'],
    load: async () => (await import('../commands/node.ts')).makeJoinToken,
  });
}
