/** The rows that are in view, and few more, as elements; whatever number of rows there is. */

import { isSameLook, type Rows } from './rows'
import type { Palette } from './palette'
import { fill, type Row, type Words } from './row'
import { ROW, Scroll } from './scroll'

/** Rows above and below the view that are there already when they come into it. */
const OVER = 12
/** How often heights are measured before a drawing is good enough. */
const TURNS = 4
/** What a finger set going has come to rest when it did not move for so long, in milliseconds. */
const REST_MS = 150
/** Rows in the document at most, also where all heights are wrong. */
const MOST = 400

interface Shown {
  readonly element: HTMLElement
  row: Row
  length: number
}

export interface Elements {
  /** Scrolls. */
  readonly frame: HTMLElement
  /** As high as the scroll bar needs it. */
  readonly size: HTMLElement
  /** Holds the rows. */
  readonly rows: HTMLElement
}

interface Goal {
  readonly row: number
  readonly share: number | undefined
  readonly staysOffEnd: boolean
}

export class Viewport {
  readonly scroll: Scroll
  palette: Palette
  isWrapped = false
  private readonly shown = new Map<number, Shown>()
  private heights = new Map<number, number>()
  private frameRequest = 0
  private barTop = -1
  private barHeight = -1
  private width = 0
  private isTouched = false
  /** The row that was gone to, until somebody scrolls: where it is depends on the height of the view. */
  private goal: Goal | undefined
  /** Set while the browser scrolls for a finger, or goes on after it. */
  private glide: ReturnType<typeof setTimeout> | undefined
  private readonly observer: ResizeObserver

  constructor(
    private readonly elements: Elements,
    private rows: Rows,
    palette: Palette,
    private readonly words: Words,
    private readonly moved: () => void,
  ) {
    this.palette = palette
    this.scroll = new Scroll((row) => this.heightOf(row))
    this.observer = new ResizeObserver(() => this.resized())
    this.observer.observe(elements.frame)
    elements.frame.addEventListener('scroll', this.onScroll, { passive: true })
    elements.frame.addEventListener('wheel', this.onWheel, { passive: false })
    for (const name of ['touchstart', 'touchend', 'touchcancel'] as const) elements.frame.addEventListener(name, this.onTouch, { passive: true })
  }

  close(): void {
    cancelAnimationFrame(this.frameRequest)
    clearTimeout(this.glide)
    this.observer.disconnect()
    this.elements.frame.removeEventListener('scroll', this.onScroll)
    this.elements.frame.removeEventListener('wheel', this.onWheel)
    for (const name of ['touchstart', 'touchend', 'touchcancel'] as const) this.elements.frame.removeEventListener(name, this.onTouch)
  }

  /** Show other rows, from their beginning. */
  setRows(rows: Rows): void {
    this.rows = rows
    this.goal = undefined
    this.forget()
  }

  /** Show everything anew: its colours or its heights are no longer the same. */
  forget(): void {
    this.heights.clear()
    for (const { element } of this.shown.values()) element.remove()
    this.shown.clear()
    this.schedule()
  }

  /** Draw before the browser does next; however often it is asked for. */
  schedule(): void {
    this.frameRequest ||= requestAnimationFrame(() => {
      this.frameRequest = 0
      this.draw()
    })
  }

  by(px: number): void {
    this.goal = undefined
    this.scroll.by(px)
    this.schedule()
  }

  /** Bring a row into view; one that `staysOffEnd` is not left for what comes after it. */
  toRow(row: number, share?: number, staysOffEnd = false): void {
    this.scroll.total = this.rows.total
    this.goal = { row, share, staysOffEnd }
    this.reach(this.goal)
    this.schedule()
  }

  toEnd(): void {
    this.goal = undefined
    this.scroll.total = this.rows.total
    this.scroll.toEnd()
    this.schedule()
  }

  /** The first and the last row in view. */
  inView(): [number, number] {
    let left = this.scroll.view + this.scroll.px
    let row = this.scroll.row
    while (row < this.rows.total && left > 0) left -= this.heightOf(row++)
    return [this.scroll.row, Math.max(this.scroll.row, row - 1)]
  }

  private reach(goal: Goal): void {
    this.scroll.toRow(goal.row, goal.share)
    if (goal.staysOffEnd && this.scroll.isPinned) this.scroll.by(-1)
  }

  private draw(): void {
    const { scroll } = this
    this.rows.prepare(Math.max(0, scroll.row - OVER), scroll.row + Math.ceil(scroll.view / ROW) + OVER)
    scroll.total = this.rows.total
    let [first, last] = this.window()
    this.place(first, last)
    // Rows turn out to be higher or lower than was thought, and then others are in view.
    for (let turn = 0; turn < TURNS && this.measure(first, last); turn++) {
      scroll.settle(scroll.isPinned)
      ;[first, last] = this.window()
      this.place(first, last)
    }
    this.rows.need(first, last)
    this.position(first)
    this.setBar()
    this.moved()
  }

  private window(): [number, number] {
    const [top, bottom] = this.inView()
    let first = top
    for (let more = OVER; first > 0 && more > 0; more--) first--
    while (first > 0 && this.heightOf(first) === 0) first--
    return [first, Math.min(this.rows.total - 1, bottom + OVER, first + MOST)]
  }

  private place(first: number, last: number): void {
    for (const [index, { element }] of this.shown) {
      if (index < first || index > last || this.rows.isHidden(index)) {
        element.remove()
        this.shown.delete(index)
      }
    }
    let before: HTMLElement | null = null
    for (let index = last; index >= first; index--) {
      if (this.rows.isHidden(index)) continue
      const element = this.draw1(index)
      if (element.nextSibling !== before || element.parentNode !== this.elements.rows) this.elements.rows.insertBefore(element, before)
      before = element
    }
  }

  private draw1(index: number): HTMLElement {
    const row = this.rows.row(index)
    const length = row.line?.length ?? -1
    const known = this.shown.get(index)
    if (known && known.length === length && isSameLook(known.row, row)) return known.element
    const element = known?.element ?? document.createElement('div')
    element.dataset.row = String(index)
    fill(element, row, this.palette, this.words)
    this.shown.set(index, { element, row, length })
    return element
  }

  /** Take the heights of rows that may have any; whether one is another than was thought. */
  private measure(first: number, last: number): boolean {
    let isOther = false
    for (let index = first; index <= last; index++) {
      const known = this.shown.get(index)
      if (!known || !(this.isWrapped || known.row.showsUpdates)) continue
      const height = known.element.offsetHeight
      if (height === this.heightOf(index)) continue
      isOther = true
      if (height === ROW) this.heights.delete(index)
      else this.heights.set(index, height)
    }
    if (this.heights.size > 20_000) this.heights.clear()
    return isOther
  }

  private position(first: number): void {
    let above = 0
    for (let index = first; index < this.scroll.row; index++) above += this.heightOf(index)
    for (let index = this.scroll.row; index < first; index++) above -= this.heightOf(index)
    this.elements.rows.style.transform = `translateY(${-above - this.scroll.px}px)`
  }

  private setBar(): void {
    const { height, top } = this.scroll.bar()
    if (height !== this.barHeight) {
      this.elements.size.style.height = `${height}px`
      this.barHeight = height
    }
    // Who sets the bar ends the browser's own movement, and loses what it has not told of yet.
    if (this.glide) return
    if (Math.abs(top - this.elements.frame.scrollTop) > 0.5) this.elements.frame.scrollTop = top
    this.barTop = this.elements.frame.scrollTop
  }

  private heightOf(index: number): number {
    if (this.rows.isHidden(index)) return 0
    return this.heights.get(index) ?? ROW
  }

  private readonly onScroll = (): void => {
    const { scrollTop } = this.elements.frame
    const by = scrollTop - this.barTop
    // What was set here comes back as an event, too; all else is the scroll bar, a finger, or the browser itself.
    if (Math.abs(by) < 1) return
    this.goal = undefined
    this.barTop = scrollTop
    if (this.glide) {
      // Rows go with the finger, pixel by pixel, however many the scroll bar stands for.
      this.scroll.by(by)
      this.glideOn()
    } else this.scroll.fromBar(scrollTop)
    this.schedule()
  }

  private readonly onTouch = (event: TouchEvent): void => {
    this.isTouched = event.touches.length > 0
    this.glideOn()
  }

  private glideOn(): void {
    clearTimeout(this.glide)
    this.glide = setTimeout(() => {
      if (this.isTouched) return this.glideOn()
      this.glide = undefined
      this.schedule()
    }, REST_MS)
  }

  private readonly onWheel = (event: WheelEvent): void => {
    if (event.ctrlKey || event.metaKey) return
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? ROW : event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? this.scroll.view : 1
    const isSideways = event.shiftKey && event.deltaX === 0
    const [x, y] = isSideways ? [event.deltaY, 0] : [event.deltaX, event.deltaY]
    event.preventDefault()
    if (x) this.elements.frame.scrollLeft += x * unit
    if (y) this.by(y * unit)
  }

  private resized(): void {
    const { clientWidth, clientHeight } = this.elements.frame
    const isOther = clientHeight !== this.scroll.view
    this.scroll.view = clientHeight
    if (clientWidth !== this.width && this.isWrapped) this.heights.clear()
    this.width = clientWidth
    if (this.goal && isOther) this.reach(this.goal)
    else this.scroll.settle(this.scroll.isPinned)
    this.schedule()
  }
}
