/** What a viewport shows: rows by their index, known or not yet. */

import type { Row } from './row'

export interface Rows {
  readonly total: number
  /** Told before rows are asked for, which they will be. */
  prepare(first: number, last: number): void
  row(index: number): Row
  /** Whether the row takes no place: it is folded away. */
  isHidden(index: number): boolean
  /** See that these rows become known. */
  need(first: number, last: number): void
}

/** Whether two rows look the same; the text of the line aside, which only grows. */
export function isSameLook(one: Row, other: Row): boolean {
  return (
    one.line === other.line &&
    one.label === other.label &&
    one.href === other.href &&
    one.time === other.time &&
    one.isTarget === other.isTarget &&
    one.isError === other.isError &&
    one.isContext === other.isContext &&
    one.isBreak === other.isBreak &&
    one.showsUpdates === other.showsUpdates &&
    one.dropped === other.dropped &&
    one.source === other.source &&
    one.style.fg === other.style.fg &&
    one.style.bg === other.style.bg &&
    one.style.flags === other.style.flags &&
    one.fold?.count === other.fold?.count &&
    one.fold?.isOpen === other.fold?.isOpen &&
    one.marks.length === other.marks.length &&
    one.marks.every((mark, at) => {
      const same = other.marks[at]
      return mark.start === same?.start && mark.end === same.end && mark.isCurrent === same.isCurrent
    })
  )
}
