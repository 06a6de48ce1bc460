/** A line of a log, and parts of logs, as the server tells of them. */

export interface Line {
  /** The first line is 1. */
  readonly number: number
  /** Where it begins, in bytes of the log. */
  readonly offset: number
  /** In bytes, without its end. */
  readonly length: number
  readonly text: string
  /** Whether there is more of it than `text`. */
  readonly isCut: boolean
  /** Of a cut line, what a progress bar showed last. */
  readonly update?: string | undefined
  /** When it came, in RFC 3339. */
  readonly at?: string | undefined
}

/** Bytes that were dropped from the middle of a log that passed its limit. */
export interface Gap {
  readonly offset: number
  readonly end: number
}

/** Some lines of a log of so many lines and bytes, as it was then. */
export interface Window {
  readonly lines: readonly Line[]
  readonly total: number
  readonly size: number
  readonly gap: Gap | null
}

/** What is kept of one line: as much as the server shows of one. */
export const LONGEST = 16 * 1024

export function isSameGap(one: Gap | null, other: Gap | null): boolean {
  return one?.offset === other?.offset && one?.end === other?.end
}
