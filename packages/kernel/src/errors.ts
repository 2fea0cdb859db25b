/** Every failure that the kernel itself raises. */
export type KernelError =
  /** An invariant does not hold: a defect of the program. */
  | { readonly code: 'assertion-failed' }
  /** The caller's AbortSignal ended the wait. */
  | { readonly code: 'aborted' }
  | { readonly code: 'timeout' }
  /** The value has no canonical form by RFC 8785. */
  | { readonly code: 'canonical-json' }
  | { readonly code: 'invalid-duration' };
