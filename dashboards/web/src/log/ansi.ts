/** Colours and styles of terminal output, as spans over the text: never as HTML. */

/** A colour: none, one of the 16 that the theme defines, or `TRUE` plus red, green and blue. */
export type Colour = number
export const NONE: Colour = -1
export const TRUE = 0x1000000

export const BOLD = 1
export const DIM = 2
export const ITALIC = 4
export const UNDERLINE = 8
export const STRIKE = 16
export const INVERSE = 32
export const HIDDEN = 64

export interface Style {
  readonly fg: Colour
  readonly bg: Colour
  readonly flags: number
}

/** Text from `start` to `end` of the line as it was written, all in one style. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly style: Style
}

export const PLAIN: Style = Object.freeze({ fg: NONE, bg: NONE, flags: 0 })

// Every repeat is bounded and no two can match the same text, so a hostile line costs no more than its length. What is
// no whole sequence is shown, without its escape character: nothing can hide the rest of a line.
const ESCAPE =
  // eslint-disable-next-line no-control-regex
  /[\x1b]\[([\x30-\x3f]{0,256})[\x20-\x2f]{0,16}([\x40-\x7e])|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|\x1b[\x20-\x2f]{1,3}[\x30-\x7e]|\x1b[0-OQ-WYZ\\`-~]|\x1b/g

/** Cut `text` from `from` to `to` into spans, beginning in `style`; also tell in which style it ends. */
export function spans(text: string, style: Style = PLAIN, from = 0, to = text.length): { spans: Span[]; style: Style } {
  const found: Span[] = []
  let at = from
  if (text.indexOf('\x1b', from) >= 0) {
    ESCAPE.lastIndex = from
    for (let match = ESCAPE.exec(text); match && match.index < to; match = ESCAPE.exec(text)) {
      if (match.index > at) found.push({ start: at, end: match.index, style })
      if (match[2] === 'm') style = select(style, match[1] ?? '')
      at = Math.min(to, ESCAPE.lastIndex)
    }
  }
  if (at < to) found.push({ start: at, end: to, style })
  return { spans: found, style }
}

/** The text without its escape sequences. */
export function plain(text: string): string {
  return text.indexOf('\x1b') < 0 ? text : text.replace(ESCAPE, '')
}

/** Apply the parameters of one "select graphic rendition". */
function select(style: Style, parameters: string): Style {
  if (parameters === '' || parameters === '0') return PLAIN
  let { fg, bg, flags } = style
  const list = parameters.split(';')
  for (let at = 0; at < list.length; at++) {
    const [code = -1, ...rest] = (list[at] ?? '').split(':').map(number)
    if (code === 38 || code === 48) {
      const [colour, used] = rest.length ? [withColons(rest), 0] : withSemicolons(list.slice(at + 1, at + 5).map(number))
      at += used
      if (colour === undefined) continue
      if (code === 38) fg = colour
      else bg = colour
    } else if (code === 0) [fg, bg, flags] = [NONE, NONE, 0]
    else if (code === 39) fg = NONE
    else if (code === 49) bg = NONE
    else if (code >= 30 && code <= 37) fg = code - 30
    else if (code >= 40 && code <= 47) bg = code - 40
    else if (code >= 90 && code <= 97) fg = code - 82
    else if (code >= 100 && code <= 107) bg = code - 92
    else if (code === 4 && rest[0] === 0) flags &= ~UNDERLINE
    else flags = (flags | (SET[code] ?? 0)) & ~(CLEAR[code] ?? 0)
  }
  return fg === NONE && bg === NONE && flags === 0 ? PLAIN : { fg, bg, flags }
}

const SET: Record<number, number> = {
  1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 8: HIDDEN, 9: STRIKE, 21: UNDERLINE,
}
const CLEAR: Record<number, number> = {
  22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 28: HIDDEN, 29: STRIKE,
}

/** `38;5;n` or `38;2;r;g;b`, and how many parameters that took. */
function withSemicolons(list: number[]): [Colour | undefined, number] {
  if (list[0] === 5) return [indexed(list[1]), 2]
  if (list[0] === 2) return [rgb(list.slice(1, 4)), 4]
  return [undefined, 0]
}

/** `38:5:n`, `38:2:r:g:b`, or as the standard has it `38:2::r:g:b`. */
function withColons(list: number[]): Colour | undefined {
  if (list[0] === 5) return indexed(list[1])
  return list[0] === 2 ? rgb(list.length > 4 ? list.slice(2, 5) : list.slice(1, 4)) : undefined
}

function indexed(index: number | undefined): Colour | undefined {
  if (index === undefined || index < 0 || index > 255) return undefined
  if (index < 16) return index
  if (index >= 232) return rgb([8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10])
  const level = (step: number) => (step ? 55 + step * 40 : 0)
  const cube = index - 16
  return rgb([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)])
}

function rgb(parts: number[]): Colour | undefined {
  const [red, green, blue] = parts
  if (red === undefined || green === undefined || blue === undefined) return undefined
  return parts.every((part) => part >= 0 && part <= 255) ? TRUE + red * 65536 + green * 256 + blue : undefined
}

function number(text: string): number {
  return text === '' ? 0 : /^\d{1,6}$/.test(text) ? Number(text) : -1
}
