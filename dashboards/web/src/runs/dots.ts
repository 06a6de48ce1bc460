/** Where each run's dot stands: its start from left to right, its length upwards on a scale of powers. */
import type { Run } from '@/client'

export interface Dot {
  run: Run
  x: number
  y: number
}

export interface Frame {
  width: number
  height: number
  from: number
  to: number
}

/** Lengths from a tenth of a second to a day fill the height; what is beyond stands at the edge. */
const SHORTEST = 0.1
const LONGEST = 86_400
/** Kept free at each edge, so that no dot is cut. */
const EDGE = 7

export function frameOf(runs: readonly Run[], width: number, height: number, since?: string, until?: string): Frame {
  const times = runs.map((run) => Date.parse(run.created_at))
  const from = since && !Number.isNaN(Date.parse(since)) ? Date.parse(since) : Math.min(...times)
  const to = until && !Number.isNaN(Date.parse(until)) ? Date.parse(until) : Math.max(...times)
  const room = Math.max(1_000, (to - from) * 0.02)
  return { width, height, from: from - room, to: to + room }
}

export function dots(runs: readonly Run[], frame: Frame): Dot[] {
  return runs.map((run) => ({ run, x: xOf(Date.parse(run.created_at), frame), y: yOf(run.duration_seconds ?? 0, frame) }))
}

export const timeAt = (x: number, { from, to, width }: Frame): number => from + ((x - EDGE) / Math.max(1, width - 2 * EDGE)) * (to - from)

function xOf(at: number, { from, to, width }: Frame): number {
  return EDGE + ((at - from) / Math.max(1, to - from)) * (width - 2 * EDGE)
}

function yOf(seconds: number, { height }: Frame): number {
  const share = Math.log(Math.min(LONGEST, Math.max(SHORTEST, seconds)) / SHORTEST) / Math.log(LONGEST / SHORTEST)
  return height - EDGE - share * (height - 2 * EDGE)
}
