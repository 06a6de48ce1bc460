/** Queued runs where they may start, as boxes in a graph of what they ask for. */
import type { Run } from '@/client'

export interface Ghost {
  run: Run
  /** Seconds since the epoch. */
  at: number
  /** How long it may take; null where nobody knows. */
  seconds: number | null
  amount: number
}

/** A part of a graph, in pixels from its left and top edge. */
export interface Box {
  ghost: Ghost
  x: number
  y: number
  width: number
  height: number
  /** Whether its end is not known, or is further than the graph goes. */
  isOpen: boolean
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

/** How wide a ghost is of which nobody knows how long it will take. */
const WIDTH = 26
/** Lower and narrower ones could not be seen, nor pointed at. */
const LOWEST = 7
const NARROWEST = 8

/** Returns those that are expected to start, and ask for some of it, the first one first. */
export function ghostsOf(runs: readonly Run[], amount: (run: Run) => number): Ghost[] {
  return runs
    .flatMap((run) => (run.status === 'queued' && run.expected_start && amount(run) > 0 ? [{ run, at: Date.parse(run.expected_start) / 1000, seconds: run.expected_seconds ?? null, amount: amount(run) }] : []))
    .sort((a, b) => a.at - b.at)
}

/** Stands each from its start to its end; those that would cover each other stand one upon the other, as far as there is room. */
export function boxes(ghosts: readonly Ghost[], frame: Frame, now: number): Box[] {
  const found: Box[] = []
  const bottom = frame.top + frame.height
  for (const ghost of ghosts) {
    const { x, width, isOpen } = across(ghost, frame, now)
    const height = Math.max(LOWEST, Math.min(1, ghost.amount / frame.most) * frame.height)
    const below = found.filter((box) => box.x < x + width && x < box.x + box.width)
    const base = Math.min(bottom, ...below.map((box) => box.y - 1))
    if (base - height < frame.top) continue
    found.push({ ghost, x, y: base - height, width, height, isOpen })
  }
  return found
}

function across(ghost: Ghost, frame: Frame, now: number): Pick<Box, 'x' | 'width' | 'isOpen'> {
  const perSecond = frame.width / (frame.to - frame.from)
  const wanted = ghost.seconds === null ? WIDTH : Math.max(NARROWEST, ghost.seconds * perSecond)
  const least = Math.min(wanted, WIDTH)
  const from = Math.min(frame.width - least, Math.max(0, (Math.max(ghost.at, now) - frame.from) * perSecond))
  const width = Math.min(wanted, frame.width - from)
  return { x: frame.left + from, width, isOpen: ghost.seconds === null || width < wanted }
}

/** Returns the span that a graph shows: the past asked for, as far as it is known, and the future of the ghosts. */
export function spanOf(at: readonly number[], ghosts: readonly Ghost[], seconds: number, now: number): { from: number; to: number } {
  const from = Math.min(now - SHORTEST, Math.max(at[0] ?? now, now - seconds))
  if (!ghosts.length) return { from, to: now }
  const end = Math.max(...ghosts.map((ghost) => Math.max(ghost.at, now) + (ghost.seconds ?? 0)))
  const ahead = Math.min(end - now, now - from)
  return { from, to: now + Math.max(ahead * 1.15, (now - from) * 0.15) }
}

/** So many seconds of the past are shown at least. */
const SHORTEST = 120
