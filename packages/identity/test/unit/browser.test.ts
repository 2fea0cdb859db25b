// Shows that keys, signatures, wallets and encryption run where nothing of Node is: with the browser's
// implementation, no module of Node and none of its globals.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Runs in a process of its own: refuses every module of Node, then takes Node's globals away. */
const SCRIPT = `
import { registerHooks } from 'node:module';
const { stdout } = process;
const tryNode = () => import('node:os').then(() => 'loaded', () => 'refused');
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (found.url.startsWith('node:')) throw new Error(specifier + ' is of Node');
    return found;
  },
});
for (const name of ['process', 'Buffer', 'require', 'setImmediate']) delete globalThis[name];
const identity = await import('@clawbernetes/identity');
const wallet = await import('@clawbernetes/identity/wallet');
const encryption = await import('@clawbernetes/identity/encryption');
const key = wallet.deriveIdentity(wallet.seedOf(new Uint8Array(16)), { org: 0 });
const statement = identity.signStatement(key, 'd', {
  body: 1, audience: 'a', nonce: '1', issuedAtMs: 1, expiresAtMs: 2,
});
const cost = { memoryKib: 64, passes: 1, lanes: 1 };
const facts = null;
const keystore = await wallet.sealKeystore(Uint8Array.of(7), { facts, passphrase: 'long enough', cost });
const parsed = wallet.parseKeystore(wallet.keystoreText(keystore), 'f');
const proof = identity.addProof({ n: 1 }, key, { createdMs: 1 });
const groups = [{ threshold: 2, count: 2 }];
const [shares] = wallet.splitSecret(new Uint8Array(16), { groups, iterationExponent: 0 });
const { token } = identity.createJoinToken({ gatewayPublicKey: key.publicKey });
stdout.write(JSON.stringify({
  node: await tryNode(),
  names: identity.keyNames(key.publicKey).address,
  statement: identity.verifyStatement(statement, { domain: 'd', audience: 'a', nowMs: 1 }).status,
  proof: identity.verifyProof(proof, { nowMs: 1 }).status,
  keystore: [...(await wallet.openKeystore(parsed, 'long enough'))],
  shares: wallet.recoverSecret(shares).length,
  token: identity.parseJoinToken(token).gatewayFingerprint === identity.fingerprintOf(key.publicKey),
  document: encryption.didDocument(key.publicKey).keyAgreement.length,
}));
`;

test('everything but files', async () => {
  const conditions = ['--conditions=@clawbernetes/source', '--conditions=browser'];
  const args = [...conditions, '--input-type=module', '--eval', SCRIPT];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  expect(JSON.parse(stdout)).toEqual({
    node: 'refused',
    names: 'HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk',
    statement: 'valid',
    proof: 'valid',
    keystore: [7],
    shares: 16,
    token: true,
    document: 1,
  });
});
