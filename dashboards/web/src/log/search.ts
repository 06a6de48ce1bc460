/** Going from hit to hit of a search of the whole log, however many there are. */

export interface Hit {
  readonly offset: number
  readonly length: number
  readonly line: number
  readonly before: string
  readonly match: string
  readonly after: string
}

export interface Found {
  readonly count: number
  /** How many come before the first of `hits`. */
  readonly before: number
  readonly hits: readonly Hit[]
  /** Whether the whole log was searched in the time there is for it. */
  readonly complete: boolean
}

/** Which hits to list: those from a byte on, or those after the first so many. */
export interface Wanted {
  readonly offset?: number
  readonly skip?: number
  readonly limit: number
}

/** Hits asked for at once, and kept. */
const PAGE = 500
const KEPT = 10 * PAGE

export class HitWalk {
  count = 0
  isComplete = true
  /** The current hit's place among all, from 0. */
  rank = -1
  private hits = new Map<number, Hit>()

  constructor(private readonly ask: (wanted: Wanted) => Promise<Found>) {}

  get current(): Hit | undefined {
    return this.hits.get(this.rank)
  }

  /** Hits in these lines, as far as they are known. */
  *within(first: number, last: number): Generator<Hit> {
    for (const hit of this.hits.values()) if (hit.line >= first && hit.line <= last) yield hit
  }

  /** Search, and go to the first hit at or behind the byte `offset`; to the very first, if there is none. */
  async start(offset: number): Promise<Hit | undefined> {
    this.hits.clear()
    const found = await this.take({ offset, limit: PAGE })
    this.rank = found.before < found.count ? found.before : 0
    return this.reach()
  }

  /** Go on by `step` hits, from the last one to the first and back. */
  async move(step: 1 | -1): Promise<Hit | undefined> {
    if (this.rank < 0) return undefined
    // A live log may have more by now.
    if (step === 1 && this.rank === this.count - 1) await this.take({ skip: this.count, limit: PAGE })
    if (!this.count) return undefined
    this.rank = (this.rank + step + this.count) % this.count
    return this.reach()
  }

  /** The hits from the place `rank` on; for a list that goes on while it is scrolled. */
  async page(rank: number): Promise<readonly Hit[]> {
    return (await this.take({ skip: rank, limit: PAGE })).hits
  }

  private async reach(): Promise<Hit | undefined> {
    if (!this.count) return undefined
    if (!this.current) await this.take({ skip: Math.max(0, this.rank - PAGE / 2), limit: PAGE })
    return this.current
  }

  private async take(wanted: Wanted): Promise<Found> {
    const found = await this.ask(wanted)
    this.count = found.count
    this.isComplete = found.complete
    if (this.hits.size + found.hits.length > KEPT) this.hits.clear()
    found.hits.forEach((hit, index) => this.hits.set(found.before + index, hit))
    return found
  }
}

/** What a search looks like in lines in view: its pattern for JavaScript, if it has one. */
export function localPattern(text: string, isRegex: boolean, ignoreCase: boolean): RegExp | undefined {
  if (text === '') return undefined
  try {
    return new RegExp(isRegex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), ignoreCase ? 'giu' : 'gu')
  } catch {
    return undefined
  }
}
