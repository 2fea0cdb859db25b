// Shows that a keystore opens with its passphrase only, and says of every other file what is wrong with it.
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hex } from '@scure/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keystoreText, openKeystore, parseKeystore, sealKeystore } from '../../src/wallet/index.ts';
import { bytes } from './vectors.ts';

const cost = { memoryKib: 64, passes: 1, lanes: 1 };
const secret = Uint8Array.of(1, 2, 3);
const passphrase = 'correct horse battery';
const sealed = await sealKeystore(secret, { facts: { n: 1 }, passphrase, cost });
const text = keystoreText(sealed);
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

test('opens with its passphrase, however its letters are composed', async () => {
  expect(await openKeystore(parseKeystore(text, 'f'), passphrase)).toEqual(secret);
  const accents = await sealKeystore(secret, { facts: null, passphrase: 'caf\u00e9 caf\u00e9', cost });
  expect(await openKeystore(accents, 'cafe\u0301 cafe\u0301')).toEqual(secret);
});

test('holds neither secret nor passphrase, and is another each time', async () => {
  const long = new TextEncoder().encode('a secret that one would recognise');
  const [one, two] = [
    await sealKeystore(long, { facts: null, passphrase, cost }),
    await sealKeystore(long, { facts: null, passphrase, cost }),
  ];
  for (const trace of ['recognise', 'horse', Buffer.from(long).toString('base64').slice(4, 20)]) {
    expect(keystoreText(one)).not.toContain(trace);
  }
  expect(one.ciphertext).not.toBe(two.ciphertext);
  expect(one.derivation.salt).not.toBe(two.derivation.salt);
});

test('a wrong passphrase is called that', async () => {
  for (const wrong of ['', 'correct horse batterY', `${passphrase} `, 'x'.repeat(5000)]) {
    await expect(openKeystore(sealed, wrong)).rejects.toThrow(code('keystore-passphrase'));
  }
});

test.each(['', '1234567', 'x'.repeat(1025)])(
  'a passphrase that is too short or long is refused: %#',
  async (weak) => {
    await expect(sealKeystore(secret, { facts: null, passphrase: weak, cost })).rejects.toThrow(
      code('weak-passphrase'),
    );
  },
);

test('a file cut anywhere is damaged, never a wrong passphrase', () => {
  fc.assert(
    fc.property(fc.nat(text.length - 3), (length) => {
      expect(() => parseKeystore(text.slice(0, length), 'the-file')).toThrow(code('keystore-damaged'));
      expect(() => parseKeystore(text.slice(0, length), 'the-file')).toThrow(/^the-file .*left as it is/);
    }),
  );
});

test('no character can be changed unnoticed', () => {
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('0', 'A', '"', ' ', 'z'), (place, character) => {
      const changed = text.slice(0, place) + character + text.slice(place + 1);
      const sameMeaning = (): boolean => JSON.stringify(JSON.parse(changed)) === JSON.stringify(sealed);
      try {
        parseKeystore(changed, 'f');
        expect(sameMeaning()).toBe(true);
      } catch (error) {
        expect(['keystore-damaged', 'keystore-version']).toContain((error as { code?: string }).code);
      }
    }),
    { numRuns: 500 },
  );
});

describe('foreign files', () => {
  test.each([
    [{ ...sealed, version: 2 }, /version 2; this program reads version 1/],
    [{ ...sealed, format: 'ethereum' }, /not a keystore of Clawbernetes.*wallet import/],
    [[1, 2, 3], /wallet import/],
  ])('are called that: %#', (document, says) => {
    const foreign = JSON.stringify(document);
    expect(() => parseKeystore(foreign, 'f')).toThrow(code('keystore-version'));
    expect(() => parseKeystore(foreign, 'f')).toThrow(says);
  });

  test('facts and cost are bound to the secret', async () => {
    for (const change of [{ facts: { n: 2 } }, { derivation: { ...sealed.derivation, passes: 2 } }]) {
      await expect(openKeystore({ ...sealed, ...change }, passphrase)).rejects.toThrow(
        code('keystore-passphrase'),
      );
    }
  });

  test('cannot make their reader work without end', async () => {
    const huge = { facts: null, passphrase, cost: { memoryKib: 64, passes: 17, lanes: 1 } };
    const foreign = keystoreText(await sealKeystore(secret, huge));
    expect(() => parseKeystore(foreign, 'f')).toThrow(/asks for more work/);
  });
});

test('the cipher is XChaCha20-Poly1305 as its draft publishes it', () => {
  // draft-irtf-cfrg-xchacha-03, A.3.1.
  const message = new TextEncoder().encode(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const key = Uint8Array.from({ length: 32 }, (_, index) => 0x80 + index);
  const nonce = Uint8Array.from({ length: 24 }, (_, index) => 0x40 + index);
  const ciphertext = xchacha20poly1305(key, nonce, bytes('50515253c0c1c2c3c4c5c6c7')).encrypt(message);
  expect(hex.encode(ciphertext.subarray(0, 16))).toBe('bd6d179d3e83d43b9576579493c0e939');
  expect(hex.encode(ciphertext.subarray(-16))).toBe('c0875924c1c7987947deafd8780acf49');
});
