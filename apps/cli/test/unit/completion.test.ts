// Shows that the completion scripts know the whole command tree and that their shells accept them.
import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { bashScript, fishScript, zshScript } from '../../src/commands/completion-scripts.ts';
import { commandWords } from '../../src/commands/completion-words.ts';

function sampleProgram(): Command {
  const program = new Command('clawbernetes').helpCommand(false);
  program.command('run').description("the user's work").option('-d, --detach', 'go on: alone');
  const node = program.command('node').description('machines');
  node.command('list').description('all');
  node.command('info').description('one').option('--wide', 'more');
  return program;
}

const words = commandWords(sampleProgram());

function missing(shell: string): string | undefined {
  return spawnSync(shell, ['-c', 'true']).status === 0
    ? undefined
    : `needs ${shell}: apt-get install ${shell}`;
}

/** What bash offers for the words typed so far. */
function bashOffers(...typed: string[]): string[] {
  const line = typed.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${line}); COMP_CWORD=${typed.length - 1}; _clawbernetes; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const script = `${bashScript(words)}\n${ask}`;
  // With a socket as its input, bash takes itself for a remote shell and would read ~/.bashrc.
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  expect(stderr.toString()).toBe('');
  return stdout.toString().split('\n').filter(Boolean);
}

describe('bash', () => {
  it('is accepted by bash -n', () => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: bashScript(words) });
    expect(stderr.toString()).toBe('');
    expect(status).toBe(0);
  });

  it('offers commands, commands below them, and options', () => {
    expect(bashOffers('clawbernetes', '')).toEqual(['run', 'node']);
    expect(bashOffers('clawbernetes', 'no')).toEqual(['node']);
    expect(bashOffers('clawbernetes', 'node', '')).toEqual(['list', 'info']);
    expect(bashOffers('clawbernetes', 'node', 'info', '--')).toEqual(['--wide', '--help']);
    expect(bashOffers('clawbernetes', 'run', '--d')).toEqual(['--detach']);
  });
});

const noZsh = missing('zsh');
describe.skipIf(noZsh)(`zsh ${noZsh ? `[skipped: ${noZsh}]` : ''}`, () => {
  it('is accepted by zsh -n', () => {
    const { status, stderr } = spawnSync('zsh', ['-n'], { input: zshScript(words) });
    expect(stderr.toString()).toBe('');
    expect(status).toBe(0);
  });
});

const noFish = missing('fish');
describe.skipIf(noFish)(`fish ${noFish ? `[skipped: ${noFish}]` : ''}`, () => {
  const offers = (line: string): string[] => {
    const script = `${fishScript(words)}\ncomplete -C ${JSON.stringify(line)}`;
    const { stdout, stderr } = spawnSync('fish', ['-N', '-c', script]);
    expect(stderr.toString()).toBe('');
    return stdout
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((offer) => offer.split('\t')[0] ?? '');
  };

  it('offers commands, commands below them, and options', () => {
    expect(offers('clawbernetes ')).toEqual(expect.arrayContaining(['run', 'node']));
    expect(offers('clawbernetes node ')).toEqual(expect.arrayContaining(['info', 'list']));
    expect(offers('clawbernetes node info --w')).toEqual(['--wide']);
  });
});
