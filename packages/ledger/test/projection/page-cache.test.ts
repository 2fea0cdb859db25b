// Shows that the cache of pages stays within its bytes, and keeps what was read last.
import { expect, it } from 'vitest';
import { columnOf, PackedPage, PageWriter } from '../../src/projection/packed-page.ts';
import { PageCache } from '../../src/projection/page-cache.ts';

function page(): PackedPage {
  const writer = new PageWriter(1000);
  writer.add(1, 1, [columnOf(Uint32Array.from({ length: 20 }, (_, row) => row * 100_000))], 0, 20);
  return new PackedPage(writer.finish().bytes.slice());
}

it('of so many pages', () => {
  const { byteLength } = page();
  const cache = new PageCache(5 * byteLength);
  for (let number = 0; number < 20; number += 1) {
    cache.add(`${number}`, page());
    // Asked for again and again, the first stays.
    expect(cache.get('0')).toBeDefined();
  }
  const kept = Array.from({ length: 20 }, (_, number) => number).filter((number) => cache.get(`${number}`));
  expect(kept).toEqual([0, 16, 17, 18, 19]);
});
