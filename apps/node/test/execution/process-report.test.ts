// Shows that the end of a sandboxed workload is read exactly from its reporter's words, whatever shell wrote
// them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReport, signalName } from '../../src/execution/process/sandbox-report.ts';

describe('the report of a sandbox', () => {
  it('without words between is an exit with every code', () => {
    for (let code = 0; code < 256; code += 1)
      expect(parseReport(`run\n${code}\n`)).toEqual({ exitCode: code });
  });

  it('with words is a death by signal (dash, bash)', () => {
    expect(parseReport('run\nKilled\n137\n')).toEqual({ signal: 'SIGKILL' });
    expect(parseReport('run\nSegmentation fault (core dumped)\n139\n')).toEqual({ signal: 'SIGSEGV' });
    expect(parseReport('run\nsh: line 4:    17 Terminated   ( exec "$@" 2>&4 )\n143\n')).toEqual({
      signal: 'SIGTERM',
    });
  });

  it('tells a missing program from a program that ends with 127', () => {
    expect(parseReport('run\nnot found\n127\n')).toEqual({ exitCode: 127, notFound: true });
    expect(parseReport('run\n127\n')).toEqual({ exitCode: 127 });
  });

  it('that was cut off has no verdict', () => {
    const full = 'run\nKilled\n137\n';
    for (let end = 0; end < full.length; end += 1) expect(parseReport(full.slice(0, end))).toBeUndefined();
  });

  it('never throws, whatever it is', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseReport(text)));
  });

  it('names every signal', () => {
    expect([9, 15, 11, 6].map((number) => signalName(number))).toEqual([
      'SIGKILL',
      'SIGTERM',
      'SIGSEGV',
      'SIGABRT',
    ]);
    expect(signalName(40)).toBe('SIGRTMIN+6');
  });
});
