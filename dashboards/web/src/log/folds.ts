/** Tracebacks: their frames are folded away, their head and the error itself stay. */

import { plain } from './ansi'

/** Lines `first` to `last` are hidden while it is folded; the line before `first` is its head. */
export interface Fold {
  readonly first: number
  readonly last: number
}

/** Fewer lines than this are not worth hiding. */
const LEAST = 3

const PYTHON = /^\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):/
const JAVA_FRAME = /^\s+(?:at |\.\.\. \d+ (?:more|common frames))/

/** Find them in lines that follow each other, the first of which has the number `first`. */
export function folds(texts: readonly (string | undefined)[], first: number): Fold[] {
  const found: Fold[] = []
  for (let at = 0; at < texts.length; at++) {
    const text = texts[at]
    if (text === undefined || text === '') continue
    const isPython = text.includes('Traceback') && PYTHON.test(plain(text))
    const end = isPython ? framesOfPython(texts, at + 1, indent(text)) : framesOf(texts, at + 1)
    if (end - at - 1 >= LEAST) {
      found.push({ first: first + at + 1, last: first + end - 1 })
      at = end - 1
    }
  }
  return found
}

/** Where the frames that begin at `at` end: those of Python go on until a line is not indented. */
function framesOfPython(texts: readonly (string | undefined)[], at: number, margin: number): number {
  while (at < texts.length) {
    const text = texts[at]
    if (text === undefined) break
    if (plain(text).trim() !== '' && indent(text) <= margin) break
    at++
  }
  return at
}

function framesOf(texts: readonly (string | undefined)[], at: number): number {
  while (at < texts.length && isFrame(texts[at])) at++
  return at
}

/** Asked of every line in each drawing, so most are turned down by a glance. */
function isFrame(text: string | undefined): boolean {
  return text !== undefined && (text.includes('at ') || text.includes('... ')) && JAVA_FRAME.test(plain(text))
}

function indent(text: string): number {
  return plain(text).search(/\S|$/)
}
