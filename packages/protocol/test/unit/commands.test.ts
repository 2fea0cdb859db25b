// Shows that the catalogue has the commands it should, that their declarations are complete, and that OpenAPI
// describes each.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  API_ERROR_CODES,
  apiError,
  COMMAND_NAMES,
  COMMON_ERRORS,
  commands,
  isApiErrorCode,
  isCommandName,
  meaningOf,
  openApiDocument,
  type CommandDefinition,
} from '../../src/index.ts';

const CORE = [
  'system.info',
  'system.run',
  'gpu.list',
  'gpu.metrics',
  'node.capabilities',
  'node.health',
  'workload.run',
  'workload.stop',
  'workload.list',
  'workload.logs',
  'workload.inspect',
  'workload.stats',
  'container.exec',
];
const CONFIG = ['config.create', 'config.get', 'config.update', 'config.delete', 'config.list'];

const definitions = Object.entries<CommandDefinition>(commands);
const ofTier = (tier: string): string[] =>
  definitions.filter(([, definition]) => definition.tier === tier).map(([name]) => name);

describe('the catalogue', () => {
  test('has the 18 commands of the tiers core and config, by exactly these names', () => {
    expect(ofTier('core').toSorted()).toEqual(CORE.toSorted());
    expect(ofTier('config').toSorted()).toEqual(CONFIG.toSorted());
  });

  test('knows its own names only', () => {
    for (const name of COMMAND_NAMES) expect(isCommandName(name)).toBe(true);
    for (const name of ['', 'workload', 'Workload.run', 'toString', '__proto__', 'constructor'])
      expect(isCommandName(name)).toBe(false);
  });

  test.each(definitions)('%s says what it does, in words and in errors that exist', (_name, definition) => {
    expect(definition.summary).toMatch(/^[A-Z]/);
    expect(new Set(definition.errors).size).toBe(definition.errors.length);
    for (const code of definition.errors) {
      expect(API_ERROR_CODES).toContain(code);
      expect(COMMON_ERRORS).not.toContain(code);
    }
  });

  test.each(definitions)('%s refuses fields that it does not know', (_name, definition) => {
    const result = definition.input.safeParse({ surelyNotAField: 1 });
    expect(result.error?.issues.some(({ code }) => code === 'unrecognized_keys')).toBe(true);
  });
});

describe('OpenAPI', () => {
  const document = openApiDocument('1.2.3') as {
    paths: Record<string, { post: { summary: string; responses: Record<string, { description: string }> } }>;
  };

  test.each(definitions)('describes %s with each of its errors under its status', (name, definition) => {
    const operation = document.paths[`/api/commands/${name}`]?.post;
    expect(operation).toMatchObject({
      operationId: name,
      summary: definition.summary,
      tags: [definition.tier],
    });
    for (const code of [...COMMON_ERRORS, ...definition.errors])
      expect(operation?.responses[meaningOf(code).status]?.description.split(', ')).toContain(code);
  });

  test('is plain JSON, and needs the token everywhere', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { version: '1.2.3' },
      security: [{ bearer: [] }],
    });
    expect(Object.keys(document.paths)).toHaveLength(definitions.length);
  });
});

describe('error codes', () => {
  test.each(API_ERROR_CODES)('%s has a status and an exit code', (code) => {
    const { status, exitCode } = meaningOf(code);
    expect(status).toBeGreaterThanOrEqual(400);
    expect([1, 2, 3, 4, 5]).toContain(exitCode);
    expect(apiError(code, 'what happened')).toMatchObject({
      code,
      message: 'what happened',
      facts: { code },
    });
  });

  test('nothing else is one', () => {
    for (const code of ['', 'ENOENT', 'toString', '__proto__']) expect(isApiErrorCode(code)).toBe(false);
  });
});

test.each(definitions)('OpenAPI says of every input of %s what it means', (_name, { input }) => {
  const schema = z.toJSONSchema(input, { io: 'input' });
  for (const [field, { description }] of Object.entries(
    (schema.properties ?? {}) as Record<string, { description?: string }>,
  ))
    expect([field, description]).toEqual([field, expect.stringMatching(/^.{10,}$/)]);
});
