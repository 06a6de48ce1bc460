/** The rows of one log, each its line; tracebacks folded, colours going on from line to line. */

import { PLAIN, spans, type Style } from './ansi'
import { isError } from './errors'
import { folds, type Fold } from './folds'
import type { Line } from './line'
import type { Mark, Row } from './row'
import type { Rows } from './rows'
import type { LogSession } from './session'

/** Lines around those in view of which colours and folds are known. */
const AROUND = 300

export interface Options {
  withTimes: boolean
  /** Whether the times of lines are wanted, shown or not. */
  needsTimes: boolean
  everyUpdate: boolean
  isFolded: boolean
  target: { first: number; last: number } | undefined
  marks: (line: Line) => readonly Mark[]
  href: (number: number) => string
}

export class LogRows implements Rows {
  /** Tracebacks that were opened, or lines whose updates are shown, by number. */
  readonly opened = new Set<number>()
  private readonly styles = new Map<number, Style>()
  private readonly errors = new WeakMap<Line, { length: number; isError: boolean }>()
  private folds: Fold[] = []
  private readonly heads = new Map<number, Fold>()

  constructor(
    private readonly session: LogSession,
    readonly options: Options,
  ) {}

  get total(): number {
    return this.session.store.total
  }

  prepare(first: number, last: number): void {
    this.styles.clear()
    this.folds = []
    this.heads.clear()
    const [from, to] = [Math.max(1, first + 1 - AROUND), Math.min(this.total, last + 1 + AROUND)]
    this.look(from, to)
    // The view keeps to the end of the log by the heights of its last lines.
    const end = Math.max(to + 1, this.total - AROUND)
    if (end < this.total) this.look(end, this.total)
  }

  isHidden(index: number): boolean {
    if (!this.options.isFolded) return false
    const number = index + 1
    const fold = this.foldWith(number)
    return fold !== undefined && !this.opened.has(fold.first - 1)
  }

  row(index: number): Row {
    const number = index + 1
    const { store } = this.session
    const { options } = this
    const line = store.get(number)
    const fold = options.isFolded ? this.heads.get(number) : undefined
    return {
      label: String(number),
      href: options.href(number),
      line,
      style: this.styles.get(number) ?? PLAIN,
      time: options.withTimes ? (store.timeOf(number) ?? '') : undefined,
      marks: line ? options.marks(line) : [],
      isTarget: options.target !== undefined && number >= options.target.first && number <= options.target.last,
      isError: line !== undefined && this.isError(line),
      isContext: false,
      isBreak: false,
      fold: fold && { count: fold.last - fold.first + 1, isOpen: this.opened.has(number) },
      showsUpdates: line !== undefined && options.everyUpdate !== this.opened.has(-number),
      dropped: line ? this.droppedIn(line) : 0,
    }
  }

  need(first: number, last: number): void {
    this.session.need({ first: first + 1, last: last + 1 }, this.options.withTimes || this.options.needsTimes)
  }

  /** Open what hides a line, so that it can be gone to. */
  reveal(number: number): void {
    this.prepare(number - 1, number - 1)
    const fold = this.foldWith(number)
    if (fold) this.opened.add(fold.first - 1)
  }

  /** Open the frames of the traceback that an error line ends. */
  revealBefore(number: number): void {
    this.reveal(number - 1)
  }

  private isError(line: Line): boolean {
    const known = this.errors.get(line)
    if (known?.length === line.length) return known.isError
    const found = { length: line.length, isError: isError(line.text) }
    this.errors.set(line, found)
    return found.isError
  }

  private foldWith(number: number): Fold | undefined {
    return this.folds.find((fold) => number >= fold.first && number <= fold.last)
  }

  private droppedIn(line: Line): number {
    const { gap } = this.session.store
    return gap && gap.offset >= line.offset && gap.end <= line.offset + line.length ? gap.end - gap.offset : 0
  }

  private look(from: number, to: number): void {
    let style = PLAIN
    const texts: (string | undefined)[] = []
    for (let number = from; number <= to; number++) {
      const text = this.session.store.get(number)?.text
      texts.push(text)
      if (style !== PLAIN) this.styles.set(number, style)
      if (text === undefined) style = PLAIN
      else if (text.includes('\x1b')) style = spans(text, style).style
    }
    for (const fold of folds(texts, from)) {
      this.folds.push(fold)
      this.heads.set(fold.first - 1, fold)
    }
  }
}
