/** A moment of a run: what its graphs and its log have in common. In seconds since the epoch, as usage over time has them. */

/** Reads a moment from the address; undefined where there is none, or what stands there is none. */
export function parseMoment(text: string): number | undefined {
  // Numbers alone are years to a Date.
  const found = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : NaN
  return Number.isFinite(found) && found >= 0 ? found / 1000 : undefined
}

/** Writes a moment for the address, to the millisecond. */
export function formatMoment(at: number): string {
  return new Date(Math.round(at * 1000)).toISOString()
}

/** So many samples are passed by PageUp and PageDown. */
const MANY = 10

/** Returns the moment that a key leads to from another one, or from the end: sample by sample. Undefined: the key does nothing. */
export function stepped(key: string, at: readonly number[], from: number | undefined): number | undefined {
  const now = from === undefined ? at.length - 1 : indexAt(at, from)
  const goals: Record<string, number> = {
    // Between two samples, going back leads to the one before.
    ArrowLeft: from !== undefined && from > at[now]! ? now : now - 1,
    ArrowRight: now + 1,
    PageUp: now + MANY,
    PageDown: now - MANY,
    Home: 0,
    End: at.length - 1,
  }
  const goal = goals[key]
  return goal === undefined ? undefined : at[Math.min(Math.max(goal, 0), at.length - 1)]
}

/** Returns the place of the last sample that is not after the moment; the first one where all are. */
export function indexAt(at: readonly number[], moment: number): number {
  let low = 0
  for (let high = at.length; high - low > 1; ) {
    const middle = (low + high) >> 1
    if (at[middle]! <= moment) low = middle
    else high = middle
  }
  return low
}
