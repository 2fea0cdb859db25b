import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { MessageReader, type Message } from './message-reader.ts';

/** Before the server has the commit, or after it has committed and before the client hears of it. */
export type Moment = 'before' | 'after';

interface Trap {
  readonly moment: Moment;
  /** Only of a transaction that writes to this table. */
  readonly table: string;
  readonly sprung: () => void;
}

export interface CommitRelay {
  /** Leads to the same database, through the relay. */
  readonly url: string;
  /** Cuts the connection at the next commit of this kind; resolves once it has. */
  cutAt(moment: Moment, table: string): Promise<void>;
}

/**
 * Stands between clients and their PostgreSQL until the test ends, reads what they say (PostgreSQL manual,
 * Frontend/Backend Protocol) and cuts a connection in the middle of a commit.
 */
export async function openCommitRelay(url: string): Promise<CommitRelay> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let trap: Trap | undefined;
  const take = (moment: Moment, tables: string): Trap | undefined => {
    const met = trap?.moment === moment && tables.includes(`"${trap.table}"`) ? trap : undefined;
    if (met) trap = undefined;
    return met;
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port || 5432), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).setNoDelay(true);
    }
    relay(client, upstream, take);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const relayed = new URL(url);
  relayed.hostname = '127.0.0.1';
  relayed.port = String(typeof address === 'object' && address ? address.port : 0);
  const cutAt = (moment: Moment, table: string): Promise<void> =>
    new Promise((sprung) => {
      trap = { moment, table, sprung };
    });
  return { url: relayed.href, cutAt };
}

function relay(
  client: Socket,
  upstream: Socket,
  take: (moment: Moment, tables: string) => Trap | undefined,
): void {
  const [asked, answered] = [new MessageReader({ hasStartup: true }), new MessageReader()];
  const statements = new StatementTexts();
  let committing: Trap | undefined;
  const cut = ({ sprung }: Trap): void => {
    client.destroy();
    upstream.destroy();
    sprung();
  };
  client.on('data', (bytes: Buffer) => {
    for (const message of asked.read(bytes)) {
      statements.note(message);
      if (isQuery(message, 'commit')) {
        const before = take('before', statements.texts);
        if (before) return cut(before);
        committing ??= take('after', statements.texts);
      }
      upstream.write(message.bytes);
    }
  });
  upstream.on('data', (bytes: Buffer) => {
    for (const message of answered.read(bytes)) {
      if (committing && message.type === 'C' && textAt(message.bytes, 5) === 'COMMIT') return cut(committing);
      client.write(message.bytes);
    }
  });
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => client.destroy());
}

/** The statements of the transaction under way. */
class StatementTexts {
  readonly #byName = new Map<string, string>();
  texts = '';

  note(message: Message): void {
    const { type, bytes } = message;
    if (isQuery(message, 'begin')) this.texts = '';
    const first = textAt(bytes, 5);
    if (type === 'P') this.#byName.set(first, textAt(bytes, 5 + first.length + 1));
    // Its first text is the portal; the second names the statement.
    if (type === 'B') this.texts += `${this.#byName.get(textAt(bytes, 5 + first.length + 1))}\n`;
  }
}

function isQuery({ type, bytes }: Message, text: string): boolean {
  return type === 'Q' && textAt(bytes, 5) === text;
}

/** Up to the zero that ends it. */
function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, end < 0 ? bytes.length : end);
}
