import { Option, type Command } from 'commander';
import { declare, declareGroup, type Runtime } from './declaration.ts';
import { wholeNumber } from './option-values.ts';

export function declareSystemCommands(program: Command, runtime: Runtime): void {
  declare(program, runtime, {
    usage: 'up',
    summary: 'start a gateway and a node on this machine and stay until Ctrl-C',
    options: [
      new Option('--demo', 'run a first workload and show it'),
      new Option('--once', 'stop everything after the first workload, with its exit code (implies --demo)'),
      new Option('--port <number>', 'port of the gateway (default: 8080; 0 takes a free one)').argParser(
        wholeNumber,
      ),
      new Option('--host <address>', 'address to listen on (default: 127.0.0.1)'),
      new Option('--insecure', 'listen beyond loopback without TLS: only on a network that you trust'),
      new Option('--name <name>', 'name of the node'),
      new Option('--simulate-gpus <spec>', 'pretend to have GPUs, such as 8xH100; always labelled simulated'),
    ],
    examples: ['up', 'up --demo', 'up --once', 'up --simulate-gpus 8xH100 --port 9090'],
    load: async () => (await import('../up/up-command.ts')).upCommand,
  });
  declare(program, runtime, {
    usage: 'down',
    summary: 'stop what "up" started on this machine, from another terminal',
    examples: ['down'],
    load: async () => (await import('../up/down-command.ts')).downCommand,
  });
  declare(program, runtime, {
    usage: 'invoke [command] [json]',
    summary: 'any command of the API with JSON input; "-" reads it from stdin',
    options: [new Option('--list', 'the commands there are')],
    examples: [
      'invoke --list',
      'invoke node.info \'{"node":"gpu-07"}\'',
      'echo {} | clawbernetes invoke fleet.status -',
    ],
    load: async () => (await import('../commands/invoke.ts')).invokeCommand,
  });
  declareConfigCommands(declareGroup(program, 'config', 'versioned configuration entries'), runtime);
  declare(program, runtime, {
    usage: 'token',
    summary: 'how to authorise other programs, such as curl',
    examples: ['token'],
    load: async () => (await import('../commands/token.ts')).explainToken,
  });
  declare(program, runtime, {
    usage: 'completion <shell>',
    summary: 'completion script for bash, zsh or fish',
    examples: [
      'completion bash > ~/.local/share/bash-completion/completions/clawbernetes',
      'completion zsh > ~/.zfunc/_clawbernetes',
      'completion fish > ~/.config/fish/completions/clawbernetes.fish',
    ],
    load: async () => {
      const { completionAction } = await import('../commands/completion.ts');
      return completionAction(program);
    },
  });
}

function declareConfigCommands(config: Command, runtime: Runtime): void {
  const expected = (): Option =>
    new Option('--expected-version <n>', 'only if nobody else changed it meanwhile').argParser(wholeNumber);
  declare(config, runtime, {
    usage: 'create <key> <value>',
    summary: 'a new entry; the value is JSON, or text if it is none; "-" reads stdin',
    examples: ['config create limits/gpus 8', `config create motd '"hello"'`],
    load: async () => (await import('../commands/config.ts')).createEntry,
  });
  declare(config, runtime, {
    usage: 'get <key>',
    summary: 'the value of an entry',
    options: [new Option('--version <n>', 'as of this version').argParser(wholeNumber)],
    examples: ['config get limits/gpus', 'config get limits/gpus --version 1'],
    load: async () => (await import('../commands/config.ts')).getEntry,
  });
  declare(config, runtime, {
    usage: 'update <key> <value>',
    summary: 'a new version of an entry',
    options: [expected()],
    examples: ['config update limits/gpus 16', 'config update limits/gpus 16 --expected-version 3'],
    load: async () => (await import('../commands/config.ts')).updateEntry,
  });
  declare(config, runtime, {
    usage: 'delete <key>',
    summary: 'remove an entry with all its versions',
    options: [expected()],
    examples: ['config delete limits/gpus'],
    load: async () => (await import('../commands/config.ts')).deleteEntry,
  });
  declare(config, runtime, {
    usage: 'list [prefix]',
    summary: 'entries by prefix, in order',
    examples: ['config list', 'config list limits/'],
    load: async () => (await import('../commands/config.ts')).listEntries,
  });
  declare(config, runtime, {
    usage: 'watch [prefix]',
    summary: 'changes of entries as they happen',
    examples: ['config watch limits/'],
    load: async () => (await import('../commands/config.ts')).watchEntries,
  });
}
