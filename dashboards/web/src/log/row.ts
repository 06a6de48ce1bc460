/** One row of a log as elements: everything that a log holds becomes text nodes, never HTML. */

import { spans, type Style } from './ansi'
import type { Line } from './line'
import type { Palette } from './palette'
import { shown } from './shown'
import { everyUpdate, lastUpdate, type Part } from './updates'

/** Characters shown of one line, and updates of one progress bar. */
export const SHOWN = 2_000
const MOST_UPDATES = 200

/** A part of a line that a search found. */
export interface Mark extends Part {
  readonly isCurrent: boolean
}

/** What a row shows. */
export interface Row {
  readonly label: string
  /** Where its number leads. */
  readonly href: string
  readonly line: Line | undefined
  readonly style: Style
  readonly time?: string | undefined
  readonly source?: { readonly name: string; readonly colour: number } | undefined
  readonly marks: readonly Mark[]
  readonly isTarget: boolean
  readonly isError: boolean
  /** Whether it only stands around what was looked for. */
  readonly isContext: boolean
  /** Whether lines before it are left out. */
  readonly isBreak: boolean
  /** How many lines are folded away behind it, or could be. */
  readonly fold?: { readonly count: number; readonly isOpen: boolean } | undefined
  readonly showsUpdates: boolean
  /** How many bytes were dropped within it. */
  readonly dropped: number
}

/** What a click on a part of a row asks for. */
export type Ask = 'fold' | 'updates' | 'more'

export interface Words {
  size(bytes: number): string
  time(at: string): string
}

/** Fill `element` with what the row shows. */
export function fill(element: HTMLElement, row: Row, palette: Palette, words: Words): void {
  element.className = rowClass(row)
  const parts: Node[] = [numberOf(row)]
  if (row.time !== undefined) parts.push(part('time', 'log-at', row.time && words.time(row.time)))
  if (row.source) parts.push(sourceOf(row.source))
  parts.push(row.line ? textOf(row.line, row, palette) : part('span', 'log-waiting', ''))
  if (row.line) parts.push(...notesOf(row.line, row, words))
  element.replaceChildren(...parts)
}

function rowClass(row: Row): string {
  const names = ['log-row']
  if (row.isTarget) names.push('is-target')
  if (row.isError) names.push('is-error')
  if (row.isContext) names.push('is-context')
  if (row.isBreak) names.push('is-break')
  return names.join(' ')
}

function numberOf(row: Row): HTMLElement {
  const link = document.createElement('a')
  link.className = 'log-number'
  link.href = row.href
  link.tabIndex = -1
  link.dataset.label = row.label
  link.ariaLabel = `Line ${row.label}`
  return link
}

function sourceOf(source: { name: string; colour: number }): HTMLElement {
  const element = part('span', `log-source log-source-${source.colour}`, source.name)
  element.title = source.name
  return element
}

function textOf(line: Line, row: Row, palette: Palette): HTMLElement {
  const element = part('span', 'log-text', '')
  const updates = row.showsUpdates ? everyUpdate(line.text) : undefined
  if (updates && updates.length > 1) {
    for (const update of updates.slice(0, MOST_UPDATES)) {
      const block = part('span', 'log-update', '')
      paint(block, line.text, update, row, palette)
      element.append(block)
    }
    if (updates.length > MOST_UPDATES) element.append(part('span', 'log-update log-faint', `… ${updates.length - MOST_UPDATES} more`))
  } else if (line.isCut && line.update !== undefined) paint(element, line.update, lastUpdate(line.update), { ...row, marks: [] }, palette)
  else paint(element, line.text, lastUpdate(line.text), row, palette)
  return element
}

/** Put a part of a text into `element`, in its colours and with what a search found. */
function paint(element: HTMLElement, text: string, { start, end }: Part, row: Row, palette: Palette): void {
  const stop = Math.min(end, start + SHOWN)
  const before = start > 0 ? spans(text, row.style, 0, start).style : row.style
  for (const span of spans(text, before, start, stop).spans) {
    let at = span.start
    for (const mark of row.marks) {
      const [from, to] = [Math.max(at, mark.start), Math.min(span.end, mark.end)]
      if (from >= to) continue
      if (from > at) element.append(styled(text.slice(at, from), span.style, palette))
      const found = part('mark', mark.isCurrent ? 'log-mark is-current' : 'log-mark', shown(text.slice(from, to)))
      element.append(found)
      at = to
    }
    if (at < span.end) element.append(styled(text.slice(at, span.end), span.style, palette))
  }
}

function styled(text: string, style: Style, palette: Palette): Node {
  const { color, background, classes } = palette.look(style)
  if (!color && !background && !classes) return document.createTextNode(shown(text))
  const element = part('span', classes, shown(text))
  if (color) element.style.color = color
  if (background) element.style.backgroundColor = background
  return element
}

function notesOf(line: Line, row: Row, words: Words): HTMLElement[] {
  const notes: HTMLElement[] = []
  if (row.fold) notes.push(button('fold', row.fold.isOpen ? `hide ${row.fold.count} lines` : `show ${row.fold.count} lines`, row.fold.isOpen))
  const { start, end, earlier } = lastUpdate(line.text)
  if (earlier > 0) notes.push(button('updates', row.showsUpdates ? 'last update only' : `${earlier + 1} updates`, row.showsUpdates))
  const isLong = line.isCut || end - start > SHOWN
  if (row.dropped) notes.push(part('span', 'log-dropped', `${words.size(row.dropped)} left out here: the log passed its limit`))
  else if (isLong) notes.push(button('more', `show all ${words.size(line.length)}`))
  return notes
}

function button(ask: Ask, text: string, isPressed?: boolean): HTMLElement {
  const element = document.createElement('button')
  element.type = 'button'
  element.className = 'log-note'
  element.dataset.ask = ask
  element.textContent = text
  if (isPressed !== undefined) element.ariaExpanded = String(isPressed)
  return element
}

function part(name: string, className: string, text: string): HTMLElement {
  const element = document.createElement(name)
  if (className) element.className = className
  if (text) element.textContent = text
  return element
}
