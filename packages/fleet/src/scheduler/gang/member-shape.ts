import type { GangShape, Shape } from '../resources.ts';

const MEMBERS = new WeakMap<Shape, Shape>();

/** The shape of one member: what a node is asked for. The same object for the same gang. */
export function memberOf(shape: Shape): Shape {
  if (!shape.gang) return shape;
  const known = MEMBERS.get(shape);
  if (known) return known;
  const { gang, ...alone } = shape;
  const member = gang.within?.rule === 'required' ? { ...alone, within: gang.within.level } : alone;
  MEMBERS.set(shape, member);
  return member;
}

/** A gang as a shape. */
export interface ShapeOfGang extends Shape {
  readonly gang: GangShape;
}

export function isGang(shape: Shape): shape is ShapeOfGang {
  return shape.gang !== undefined;
}
