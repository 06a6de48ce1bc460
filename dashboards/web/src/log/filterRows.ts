/** Only the lines that a search found, with some around them; read on as one scrolls, however many they are. */

import { PLAIN } from './ansi'
import { isError } from './errors'
import type { Line } from './line'
import type { Options } from './logRows'
import type { Row } from './row'
import type { Rows } from './rows'
import type { Hit, HitWalk } from './search'
import type { LogSession } from './session'

/** So many rows before the last one, more are read. */
const AHEAD = 100
/** How often it is looked for more in a log that grows. */
const LOOK_MS = 1_000

interface Entry {
  readonly number: number
  readonly isContext: boolean
  readonly isBreak: boolean
}

export class FilterRows implements Rows {
  /** Whether one has seen it, and is where one wants to be. */
  wasShown = false
  private readonly entries: Entry[] = []
  private readonly indexes = new Map<number, number>()
  private readonly known = new Map<number, Line>()
  private rank = 0
  private isReading = false
  private lookedAt = 0
  private lookedAtTotal = -1

  constructor(
    private readonly session: LogSession,
    private readonly options: Options,
    private readonly walk: HitWalk,
    private readonly context: number,
    private readonly changed: () => void,
  ) {}

  get total(): number {
    return this.entries.length
  }

  prepare(_: number, last: number): void {
    if (last + AHEAD < this.total || this.isReading) return
    const { total } = this.session.store
    const isThereMore = this.rank < this.walk.count || this.lookedAtTotal < 0
    const mayBeMore = total !== this.lookedAtTotal && Date.now() - this.lookedAt > LOOK_MS
    if (isThereMore || mayBeMore) void this.read(total)
  }

  row(index: number): Row {
    const entry = this.entries[index]!
    const line = this.session.store.get(entry.number) ?? this.known.get(entry.number)
    return {
      label: String(entry.number),
      href: this.options.href(entry.number),
      line,
      style: PLAIN,
      time: this.options.withTimes ? (this.session.store.timeOf(entry.number) ?? '') : undefined,
      marks: line ? this.options.marks(line) : [],
      isTarget: false,
      isError: line !== undefined && isError(line.text),
      isContext: entry.isContext,
      isBreak: entry.isBreak,
      showsUpdates: this.options.everyUpdate,
      dropped: 0,
    }
  }

  isHidden(): boolean {
    return false
  }

  need(first: number, last: number): void {
    const withTimes = this.options.withTimes || this.options.needsTimes
    for (let index = first; index <= last; index++) {
      const { number } = this.entries[index]!
      const isThere = withTimes ? this.session.store.timeOf(number) : (this.session.store.get(number) ?? this.known.get(number))
      if (!isThere) this.session.need({ first: number, last: number }, withTimes)
    }
  }

  /** The row of a line, or of the next one after it. */
  indexOf(number: number): number {
    const found = this.indexes.get(number)
    if (found !== undefined) return found
    const at = this.entries.findIndex((entry) => entry.number >= number)
    return at < 0 ? this.entries.length - 1 : at
  }

  numberOf(index: number): number | undefined {
    return this.entries[index]?.number
  }

  private async read(total: number): Promise<void> {
    this.isReading = true
    this.lookedAt = Date.now()
    try {
      const hits = await this.walk.page(this.rank)
      this.rank += hits.length
      for (const hit of hits) this.add(hit)
      this.lookedAtTotal = total
    } catch {
      // The search itself tells what is wrong; it is looked again as one scrolls.
    } finally {
      this.isReading = false
      this.changed()
    }
  }

  private add(hit: Hit): void {
    const text = hit.before + hit.match + hit.after
    if (!this.known.has(hit.line)) {
      this.known.set(hit.line, { number: hit.line, offset: hit.offset, length: text.length, text, isCut: false })
    }
    const last = this.entries.at(-1)?.number ?? 0
    for (let number = Math.max(last + 1, hit.line - this.context); number < hit.line; number++) this.push(number, true, last)
    if (hit.line > last) this.push(hit.line, false, last)
    else this.indexes.set(hit.line, this.raise(hit.line))
    const end = Math.min(hit.line + this.context, this.session.store.total)
    for (let number = Math.max(hit.line, last) + 1; number <= end; number++) this.push(number, true, number - 1)
  }

  private push(number: number, isContext: boolean, last: number): void {
    const before = this.entries.at(-1)?.number ?? 0
    this.indexes.set(number, this.entries.length)
    this.entries.push({ number, isContext, isBreak: this.context > 0 && last > 0 && number > before + 1 })
  }

  /** A line that stood around the one before was found itself. */
  private raise(number: number): number {
    let index = this.entries.length - 1
    while (index >= 0 && this.entries[index]!.number > number) index--
    const entry = this.entries[index]
    if (entry?.isContext) this.entries[index] = { ...entry, isContext: false }
    return index
  }
}
