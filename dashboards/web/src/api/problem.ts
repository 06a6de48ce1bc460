import type { Problem, ProblemError } from '@/client'

/** A call that the server refused, or that never reached it; `status` is 0 for the second. */
export class CallError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly places: ProblemError[] = [],
  ) {
    super(message)
    this.name = 'CallError'
  }

  /** Whether the server was not there at all. */
  get isOffline(): boolean {
    return this.status === 0
  }
}

/** Returns what a failed call says, in words for a person. */
export function asCallError(error: unknown, response: Response | undefined): CallError {
  if (error instanceof CallError) return error
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return new CallError('The server did not answer within 10 seconds.', 0)
  if (!response) return new CallError('The server cannot be reached.', 0)
  if (isProblem(error)) return new CallError(error.detail, error.status, error.errors ?? [])
  return new CallError(`The server answered ${response.status}.`, response.status)
}

function isProblem(error: unknown): error is Problem {
  return typeof error === 'object' && error !== null && 'detail' in error && 'status' in error
}
