import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, type Logger, sleep } from '@clawbernetes/kernel';
import type { AttemptStatus } from '@clawbernetes/protocol';
import type { ExecResult, Executor } from '../execution/executor.ts';
import {
  checkAttempt,
  checkContact,
  checkExec,
  checkForget,
  checkHello,
  checkKind,
  checkLaunch,
  checkReadLog,
  checkShutdown,
  checkStop,
  fields,
  whole,
} from './check-request.ts';
import {
  OLDEST_PROTOCOL_VERSION,
  PROTOCOL_VERSION,
  type ExecAnswer,
  type MethodName,
  type Welcome,
} from './messages.ts';
import { ClientSession, type Answer, type SessionHost } from './supervisor-client-session.ts';
import type { SupervisorCore } from './supervisor-core.ts';
import { supervisorError } from './supervisor-error.ts';
import type { WireFrame } from './wire.ts';

/** Connections at once, one per agent and a few of tools. */
const MAX_CLIENTS = 1024;
/** Time for a client to say who it is, ms. */
const HELLO_MS = 10_000;
const STATUSES_PER_ANSWER = 500;

export interface SupervisorServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly core: SupervisorCore;
  executor(kind: Executor['kind']): Promise<Executor>;
  /** Asked to end the process, after the answer has been sent. */
  exit(): void;
}

export interface SupervisorServerOptions {
  readonly socketPath: string;
  readonly version: string;
  readonly settings: string;
  /** Without clients and work for this long, it ends: nothing is lost, the next agent starts another. */
  readonly idleExitMs: number;
}

type Handlers = {
  readonly [M in MethodName]: (session: ClientSession, params: unknown) => Promise<readonly Answer[]>;
};

/** The supervisor's end of the socket. */
export class SupervisorServer implements SessionHost, AsyncDisposable {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly #deps: SupervisorServerDeps;
  readonly #options: SupervisorServerOptions;
  readonly #server: Server;
  readonly #sessions = new Map<ClientSession, Disposable | undefined>();
  readonly #handlers: Handlers = this.#makeHandlers();
  #idleSinceMs: number;

  static async open(deps: SupervisorServerDeps, options: SupervisorServerOptions): Promise<SupervisorServer> {
    const server = new SupervisorServer(deps, options);
    await server.#listen();
    return server;
  }

  private constructor(deps: SupervisorServerDeps, options: SupervisorServerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.#server = createServer((socket) => this.#connected(socket));
    this.#server.maxConnections = MAX_CLIENTS;
    this.#idleSinceMs = deps.clock.monotonicMs();
    this.#watchIdleness();
  }

  async handle(session: ClientSession, { message }: WireFrame): Promise<readonly Answer[]> {
    const { id, method, params } = fields(message);
    whole(id);
    if (typeof method !== 'string' || !Object.hasOwn(this.#handlers, method)) {
      throw supervisorError(
        'supervisor-request',
        'The supervisor does not know this request; it may be older.',
      );
    }
    if (method !== 'hello' && session.owner === '') {
      throw supervisorError('supervisor-request', 'The first request to the supervisor must be "hello".');
    }
    // The own keys of the handlers are method names.
    return this.#handlers[method as MethodName](session, params);
  }

  status(attemptId: string): AttemptStatus | undefined {
    return this.#deps.core.status(attemptId);
  }

  logEnd(attemptId: string): number {
    return this.#deps.core.logEnd(attemptId);
  }

  closed(session: ClientSession): void {
    this.#sessions.get(session)?.[Symbol.dispose]();
    this.#sessions.delete(session);
    this.#idleSinceMs = this.clock.monotonicMs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await Promise.race([
      Promise.all([...this.#sessions.keys()].map((session) => session.end())),
      sleep(this.clock, 1000),
    ]);
    for (const session of this.#sessions.keys()) session.close();
    rmSync(this.#options.socketPath, { force: true });
  }

  /** The folder lets nobody else in; the mode of the socket says so once more. */
  #listen(): Promise<void> {
    rmSync(this.#options.socketPath, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.socketPath, () => {
        chmodSync(this.#options.socketPath, 0o600);
        resolve();
      });
    });
  }

  #connected(socket: Socket): void {
    const session = new ClientSession(this, socket);
    this.#sessions.set(session, undefined);
    const timer = this.clock.after(HELLO_MS, () => session.owner === '' && session.close());
    socket.once('close', () => timer.cancel());
  }

  #watchIdleness(): void {
    this.clock.after(Math.max(1000, this.#options.idleExitMs / 4), () => {
      const busy = this.#sessions.size > 0 || this.#deps.core.liveAttempts > 0;
      const idleMs = this.clock.monotonicMs() - this.#idleSinceMs;
      if (busy) this.#idleSinceMs = this.clock.monotonicMs();
      else if (idleMs >= this.#options.idleExitMs && this.#deps.core.stopIfIdle()) return this.#deps.exit();
      this.#watchIdleness();
    });
  }

  #makeHandlers(): Handlers {
    return {
      hello: async (session, params) => [{ result: this.#welcome(session, checkHello(params).owner) }],
      launch: async ({ owner }, params) => [
        { result: await this.#deps.core.launch(owner, checkLaunch(params)) },
      ],
      stop: async ({ owner }, params) => {
        const { attemptId, graceMs } = checkStop(params);
        await this.#deps.core.stop(owner, attemptId, { graceMs });
        return DONE;
      },
      release: async ({ owner }, params) => {
        this.#deps.core.release(owner, checkAttempt(params));
        return DONE;
      },
      contact: async ({ owner }, params) => {
        this.#deps.core.contact(owner, checkContact(params));
        return DONE;
      },
      list: async ({ owner }) => pages(await this.#deps.core.list(owner)),
      forget: async ({ owner }, params) => {
        await this.#deps.core.forget(owner, checkForget(params));
        return DONE;
      },
      exec: async ({ owner }, params) => {
        const { attemptId, request } = checkExec(params);
        return [execAnswer(await this.#deps.core.exec(owner, attemptId, request))];
      },
      stats: async ({ owner }, params) => [
        { result: await this.#deps.core.stats(owner, checkAttempt(params)) },
      ],
      readLog: async ({ owner }, params) => {
        const { attemptId, position, maxBytes } = checkReadLog(params);
        const slice = this.#deps.core.readLog(owner, attemptId, position, maxBytes);
        return [{ result: { position: slice.position, end: slice.end }, bytes: slice.records }];
      },
      limitations: async (_, params) => {
        const executor = await this.#deps.executor(checkKind(params));
        await executor.refresh?.();
        return [{ result: executor.limitations }];
      },
      shutdown: async (_, params) => {
        await this.#deps.core.shutdown(checkShutdown(params));
        this.clock.after(0, () => this.#deps.exit());
        return DONE;
      },
      shutdownIfIdle: async () => {
        const stopping = this.#deps.core.stopIfIdle();
        if (stopping) this.clock.after(0, () => this.#deps.exit());
        return [{ result: { stopping } }];
      },
    };
  }

  #welcome(session: ClientSession, owner: string): Welcome {
    this.#sessions.get(session)?.[Symbol.dispose]();
    session.owner = owner;
    this.#sessions.set(session, this.#deps.core.watch(session));
    const { version, settings } = this.#options;
    return {
      protocol: PROTOCOL_VERSION,
      oldestProtocol: OLDEST_PROTOCOL_VERSION,
      version,
      settings,
      pid: process.pid,
      liveAttempts: this.#deps.core.liveAttempts,
    };
  }
}

const DONE: readonly Answer[] = [{ result: null }];

function pages(statuses: readonly AttemptStatus[]): Answer[] {
  const answers: Answer[] = [];
  for (let at = 0; at === 0 || at < statuses.length; at += STATUSES_PER_ANSWER) {
    answers.push({ result: statuses.slice(at, at + STATUSES_PER_ANSWER) });
  }
  return answers;
}

function execAnswer({ stdout, stderr, ...rest }: ExecResult): Answer {
  const result: ExecAnswer = { ...rest, stdoutBytes: stdout.length };
  return { result, bytes: Buffer.concat([stdout, stderr]) };
}
