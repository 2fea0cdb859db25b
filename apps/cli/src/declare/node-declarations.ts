import { Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { duration, positiveNumber } from './option-values.ts';

export function declareNodeCommands(node: Command, runtime: Runtime): void {
  declare(node, runtime, {
    usage: 'list',
    summary: 'all nodes with their state',
    examples: ['node list', 'node list -f json'],
    load: async () => (await import('../commands/node.ts')).listNodes,
  });
  declare(node, runtime, {
    usage: 'info <node>',
    alias: 'show',
    summary: 'one node in full: hardware, executors, what is free',
    examples: ['node info gpu-07'],
    load: async () => (await import('../commands/node.ts')).showNode,
  });
  declareNodeChanges(node, runtime);
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

function declareNodeChanges(node: Command, runtime: Runtime): void {
  declare(node, runtime, {
    usage: 'cordon <node>',
    summary: 'place nothing more on a node; what runs there runs on',
    examples: ['node cordon gpu-07'],
    load: async () => (await import('../commands/node-changes.ts')).cordonNode,
  });
  declare(node, runtime, {
    usage: 'uncordon <node>',
    summary: 'give a cordoned, draining or drained node work again',
    examples: ['node uncordon gpu-07'],
    load: async () => (await import('../commands/node-changes.ts')).uncordonNode,
  });
  declare(node, runtime, {
    usage: 'drain <node>',
    summary: 'place nothing more on a node and let its work end, or move it after a deadline',
    options: [
      new Option('--deadline <duration>', 'move to other nodes what still runs then').argParser(duration),
      new Option('--max-parallel <count>', 'moves at once (default: 8)').argParser(positiveNumber),
      new Option('--force', 'stop the work on it at once, for good'),
    ],
    examples: ['node drain gpu-07', 'node drain gpu-07 --deadline 30m', 'node drain gpu-07 --force'],
    load: async () => (await import('../commands/node-changes.ts')).drainNode,
  });
  declare(node, runtime, {
    usage: 'undrain <node>',
    summary: 'as uncordon',
    examples: ['node undrain gpu-07'],
    load: async () => (await import('../commands/node-changes.ts')).uncordonNode,
  });
  declare(node, runtime, {
    usage: 'retire <node>',
    summary: 'take a drained node out of the fleet, or refuse one that waits for approval',
    options: [new Option('--force', 'it is out of reach and gone for good: its work is lost')],
    examples: ['node retire gpu-07', 'node retire --force gpu-07'],
    load: async () => (await import('../commands/node-changes.ts')).retireNode,
  });
  declare(node, runtime, {
    usage: 'label <node> <label...>',
    summary: 'set labels with key=value, remove them with key-',
    examples: ['node label gpu-07 rack=r4 tier=spot', 'node label gpu-07 tier-'],
    load: async () => (await import('../commands/node-changes.ts')).labelNode,
  });
  declare(node, runtime, {
    usage: 'taint <node> <taint...>',
    summary: 'keep work away with key[=value]:effect, no more with key- or key:effect-',
    examples: ['node taint gpu-07 team=vision:no-schedule', 'node taint gpu-07 team-'],
    load: async () => (await import('../commands/node-changes.ts')).taintNode,
  });
  declare(node, runtime, {
    usage: 'thaw',
    summary: 'believe that nodes which fell silent together are gone',
    examples: ['node thaw'],
    load: async () => (await import('../commands/node-changes.ts')).thawFleet,
  });
}

export function declareGpuCommands(gpu: Command, runtime: Runtime): void {
  declare(gpu, runtime, {
    usage: 'list',
    summary: 'all GPUs with their state, and what is wrong with which',
    examples: ['gpu list', 'gpu list -f json'],
    load: async () => (await import('../commands/gpu.ts')).listGpus,
  });
  declare(gpu, runtime, {
    usage: 'release <node> <gpu>',
    summary: 'give a quarantined GPU work again, or stop expecting a missing one',
    examples: ['gpu release gpu-07 3'],
    load: async () => (await import('../commands/gpu.ts')).releaseGpu,
  });
}
