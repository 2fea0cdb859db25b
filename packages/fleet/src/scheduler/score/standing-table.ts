import { OBSTACLES, type ObstacleCode } from '@clawbernetes/protocol';
import type { GroupKey } from '../node-groups.ts';

/** How a shape fares on a node now. */
export interface Standing {
  /** Why it has no place there; undefined = it has. */
  readonly refusal: ObstacleCode | undefined;
  /** Of its place. */
  readonly cost: number;
}

const LEAST_PLACES = 64;
const FREE = -1;

/**
 * How one shape fares on groups of nodes, by their keys: a hash table of plain numbers, since a plan asks for
 * every group there is. What is found at a place holds until the next `set`.
 */
export class StandingTable {
  #keys = new Int32Array(LEAST_PLACES).fill(FREE);
  /** 0 = there is room, else the number of the obstacle plus 1. */
  #refusals = new Uint8Array(LEAST_PLACES);
  #costs = new Float64Array(LEAST_PLACES);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The place of a group, or −1 if nothing is known of it. */
  find(key: GroupKey): number {
    const keys = this.#keys;
    const last = keys.length - 1;
    for (let place = key & last; ; place = (place + 1) & last) {
      const found = keys[place];
      if (found === key) return place;
      if (found === FREE) return -1;
    }
  }

  refusal(place: number): ObstacleCode | undefined {
    const number = this.#refusals[place] ?? 0;
    return number === 0 ? undefined : OBSTACLES[number - 1];
  }

  cost(place: number): number {
    return this.#costs[place] ?? 0;
  }

  /** Answers its place. */
  set(key: GroupKey, { refusal, cost }: Standing): number {
    if (this.#size * 2 >= this.#keys.length) this.#rebuild(this.#keys.length * 2, () => true);
    return this.#put(key, refusal === undefined ? 0 : OBSTACLES.indexOf(refusal) + 1, cost);
  }

  /** Costs have changed; what has no room has none whatever places cost. */
  forgetCosts(): void {
    this.#rebuild(this.#keys.length, (refusal) => refusal !== 0);
  }

  clear(): void {
    this.#rebuild(LEAST_PLACES, () => false);
  }

  #put(key: GroupKey, refusal: number, cost: number): number {
    const last = this.#keys.length - 1;
    let place = key & last;
    while (this.#keys[place] !== FREE && this.#keys[place] !== key) place = (place + 1) & last;
    if (this.#keys[place] === FREE) this.#size += 1;
    this.#keys[place] = key;
    this.#refusals[place] = refusal;
    this.#costs[place] = cost;
    return place;
  }

  #rebuild(places: number, stays: (refusal: number) => boolean): void {
    const [keys, refusals, costs] = [this.#keys, this.#refusals, this.#costs];
    this.#keys = new Int32Array(places).fill(FREE);
    this.#refusals = new Uint8Array(places);
    this.#costs = new Float64Array(places);
    this.#size = 0;
    for (const [place, key] of keys.entries()) {
      const refusal = refusals[place] ?? 0;
      if (key !== FREE && stays(refusal)) this.#put(key, refusal, costs[place] ?? 0);
    }
  }
}
