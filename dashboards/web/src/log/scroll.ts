/** Where one is in a list of rows of any number and of different heights, and what a scroll bar makes of that. */

/** The height of a usual row, in pixels. */
export const ROW = 20
/** Browsers draw nothing right that is higher than some 16 to 33 million pixels. */
const HIGHEST = 8_000_000

export class Scroll {
  /** The row at the top of the view, from 0, and how many of its pixels are above it. */
  row = 0
  px = 0
  /** Whether the last row is kept at the bottom of the view. */
  isPinned = false
  view = 600
  private rows = 0

  constructor(private readonly heightOf: (row: number) => number) {}

  get total(): number {
    return this.rows
  }

  set total(rows: number) {
    this.rows = rows
    this.settle()
  }

  /** Move by so many pixels. */
  by(px: number): void {
    if (this.isPinned && px >= 0) return
    this.isPinned = false
    this.px += px
    while (this.px < 0 && this.row > 0) this.px += this.heightOf(--this.row)
    this.px = Math.max(0, this.px)
    while (this.row < this.rows - 1 && this.px >= this.heightOf(this.row)) this.px -= this.heightOf(this.row++)
    this.settle(px >= 0)
  }

  toRow(row: number, share = 0.3): void {
    this.isPinned = false
    this.row = Math.min(Math.max(0, row), Math.max(0, this.rows - 1))
    this.px = 0
    this.by(-Math.round(this.view * share))
    this.settle()
  }

  toEnd(): void {
    this.isPinned = true
    this.settle()
  }

  /** Put right what no longer fits: after rows came or went, or changed their heights. */
  settle(pins = true): void {
    const end = this.end()
    const isBehind = this.row > end.row || (this.row === end.row && this.px >= end.px)
    if (this.isPinned || (isBehind && pins)) {
      this.row = end.row
      this.px = end.px
      // A log that fits into the view is at its end, too.
      this.isPinned = true
    }
  }

  /** The height of what the scroll bar scrolls, and how far down it stands. */
  bar(): { height: number; top: number } {
    const height = Math.min(Math.max(this.rows * ROW, this.view), HIGHEST)
    const most = this.end()
    const share = this.place(most) > 0 ? this.place(this) / this.place(most) : 0
    return { height, top: share * (height - this.view) }
  }

  /** Go where the scroll bar was moved to. */
  fromBar(top: number): void {
    const { height } = this.bar()
    const share = height > this.view ? top / (height - this.view) : 1
    if (share >= 1 - 1e-9 || height - this.view - top < 0.75) return this.toEnd()
    const place = Math.max(0, share) * this.place(this.end())
    this.isPinned = false
    this.row = Math.min(this.rows - 1, Math.floor(place))
    this.px = (place - this.row) * this.heightOf(this.row)
    this.settle(false)
  }

  /** Where one is when the last row is at the bottom. */
  private end(): { row: number; px: number } {
    let left = this.view
    let row = this.rows
    while (row > 0 && left > 0) left -= this.heightOf(--row)
    return { row: Math.max(0, row), px: Math.max(0, -left) }
  }

  private place(at: { row: number; px: number }): number {
    return at.row + at.px / Math.max(1, this.heightOf(at.row))
  }
}
