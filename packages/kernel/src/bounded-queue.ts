import { assert } from './assert.ts';

/**
 * A first-in, first-out queue that cannot grow past `capacity`. A full queue refuses (`push` answers false);
 * the caller decides what that means. O(1) amortised: the head index moves and the array is compacted now and
 * then.
 */
export class BoundedQueue<T> {
  readonly capacity: number;
  #items: T[] = [];
  #head = 0;

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, 'a queue has a positive capacity');
    this.capacity = capacity;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): boolean {
    if (this.size >= this.capacity) return false;
    this.#items.push(item);
    return true;
  }

  /** Adds `item`, giving up the oldest one if the queue is full; answers what was given up. */
  pushDroppingOldest(item: T): T | undefined {
    const dropped = this.size >= this.capacity ? this.shift() : undefined;
    this.#items.push(item);
    return dropped;
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes up to `limit` items from the head. */
  drain(limit: number = this.size): T[] {
    const taken = this.#items.slice(this.#head, this.#head + limit);
    this.#items = this.#items.slice(this.#head + taken.length);
    this.#head = 0;
    return taken;
  }
}
