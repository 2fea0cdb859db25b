import { z } from 'zod';
import { COMMON_ERRORS, type CommandDefinition } from './commands/command.ts';
import { commands } from './commands/registry.ts';
import { API_ERROR_CODES, meaningOf, type ApiErrorCode } from './errors.ts';

const errorSchema = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { enum: API_ERROR_CODES },
    message: { type: 'string', description: 'What happened, to which thing, and what to do next.' },
    issues: {
      type: 'array',
      description: 'For invalid-input: what is wrong where.',
      items: {
        type: 'object',
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
    retryAfterMs: { type: 'number', description: 'Ask again after this long; also the header Retry-After.' },
  },
};

/** OpenAPI 3.1 description of `POST /api/commands/<name>`, derived from the registry. */
export function openApiDocument(version: string): Record<string, unknown> {
  const paths = Object.entries<CommandDefinition>(commands).map(([name, definition]) => [
    `/api/commands/${name}`,
    { post: operation(name, definition) },
  ]);
  return {
    openapi: '3.1.0',
    info: { title: 'Clawbernetes', version, license: { name: 'MIT' } },
    security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths: Object.fromEntries(paths),
  };
}

function operation(name: string, definition: CommandDefinition): Record<string, unknown> {
  return {
    operationId: name,
    summary: definition.summary,
    tags: [definition.tier],
    requestBody: {
      content: { 'application/json': { schema: z.toJSONSchema(definition.input, { io: 'input' }) } },
    },
    responses: {
      200: {
        description: 'Done',
        content: { 'application/json': { schema: z.toJSONSchema(definition.output) } },
      },
      ...errorResponses([...COMMON_ERRORS, ...definition.errors]),
    },
  };
}

function errorResponses(codes: readonly ApiErrorCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => meaningOf(code).status);
  return Object.fromEntries(
    Array.from(byStatus, ([status, group]) => [
      status,
      { description: group.join(', '), content: { 'application/json': { schema: errorSchema } } },
    ]),
  );
}
