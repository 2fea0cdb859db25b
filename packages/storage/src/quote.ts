/** A name as SQL writes it on both engines. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
