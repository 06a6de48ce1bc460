/** Queued runs where they may start, as boxes in a graph of what they ask for. */
import type { Run } from '@/client'

export interface Ghost {
  run: Run
  /** Seconds since the epoch. */
  at: number
  amount: number
}

/** A part of a graph, in pixels from its left and top edge. */
export interface Box {
  ghost: Ghost
  x: number
  y: number
  width: number
  height: number
}

export interface Frame {
  left: number
  top: number
  width: number
  height: number
  /** Seconds since the epoch at the left and the right edge. */
  from: number
  to: number
  /** The amount at the upper edge. */
  most: number
}

/** How wide a ghost is: how long a run will take nobody knows. */
const WIDTH = 26
/** Lower ones could not be seen, nor pointed at. */
const LOWEST = 7

/** Returns those that are expected to start, and ask for some of it, the first one first. */
export function ghostsOf(runs: readonly Run[], amount: (run: Run) => number): Ghost[] {
  return runs
    .flatMap((run) => (run.status === 'queued' && run.expected_start && amount(run) > 0 ? [{ run, at: Date.parse(run.expected_start) / 1000, amount: amount(run) }] : []))
    .sort((a, b) => a.at - b.at)
}

/** Stands each where it starts; those that would cover each other stand one upon the other, as far as there is room. */
export function boxes(ghosts: readonly Ghost[], frame: Frame, now: number): Box[] {
  const found: Box[] = []
  const bottom = frame.top + frame.height
  for (const ghost of ghosts) {
    const share = (Math.max(ghost.at, now) - frame.from) / (frame.to - frame.from)
    const x = frame.left + Math.min(frame.width - WIDTH, Math.max(0, share * frame.width))
    const height = Math.max(LOWEST, Math.min(1, ghost.amount / frame.most) * frame.height)
    const below = found.filter((box) => box.x < x + WIDTH && x < box.x + WIDTH)
    const base = Math.min(bottom, ...below.map((box) => box.y - 1))
    if (base - height < frame.top) continue
    found.push({ ghost, x, y: base - height, width: WIDTH, height })
  }
  return found
}

/** Returns the span that a graph shows: the past asked for, as far as it is known, and the future of the ghosts. */
export function spanOf(at: readonly number[], ghosts: readonly Ghost[], seconds: number, now: number): { from: number; to: number } {
  const from = Math.min(now - SHORTEST, Math.max(at[0] ?? now, now - seconds))
  const last = ghosts.at(-1)
  if (!last) return { from, to: now }
  const ahead = Math.min(Math.max(last.at - now, 0), now - from)
  return { from, to: now + Math.max(ahead * 1.15, (now - from) * 0.15) }
}

/** So many seconds of the past are shown at least. */
const SHORTEST = 120
