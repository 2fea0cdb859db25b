/** Ids come from the gateway and become names of folders, control groups and containers. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function isAttemptId(text: string): boolean {
  return ID.test(text);
}
