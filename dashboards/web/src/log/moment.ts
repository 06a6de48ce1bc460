/** The log and graphs over time, locked to each other: the newest line of a moment, and the moment of the line that is looked at. */

import { call } from '@/api/call'
import { logsMoment } from '@/client'
import type { Whose } from './session'

/** A line that is looked at: under the pointer, or meant, or else the first one in view. */
export interface LinePlace {
  readonly line: number
  /** When it came, in seconds since the epoch; undefined while that is not known. */
  readonly at: number | undefined
}

/** The number of the line that was the newest at a moment, in seconds since the epoch; null when there was none yet. */
export async function newestLine({ runId, attempt }: Whose, at: number): Promise<number | null> {
  return (await call((options) => logsMoment({ ...options, path: { run_id: runId }, query: { attempt, at } }))).line
}

export interface Looked {
  /** The line under the pointer, if any. */
  readonly hovered: number | undefined
  /** The line that was gone to, if any. */
  readonly target: number | undefined
  /** The first and the last line in view. */
  readonly first: number
  readonly last: number
}

/** Which line is looked at. */
export function lookedAt({ hovered, target, first, last }: Looked): number {
  if (hovered !== undefined) return hovered
  return target !== undefined && target >= first && target <= last ? target : first
}

/** A line with its time as the server tells it. */
export function placeOf(line: number, time: string | undefined): LinePlace {
  return { line, at: time === undefined ? undefined : Date.parse(time) / 1000 }
}

/** The one before where nothing of it changed, so that nobody is told of it. */
export function samePlace(before: LinePlace | undefined, now: LinePlace | undefined): LinePlace | undefined {
  return before?.line === now?.line && before?.at === now?.at ? before : now
}
