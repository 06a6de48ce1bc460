import { describe, expect, it } from 'vitest'
import { BOLD, DIM, INVERSE, ITALIC, NONE, PLAIN, STRIKE, TRUE, UNDERLINE, plain, spans } from './ansi'
import { Chance } from './testing/chance'

const ESC = '\x1b'

function styles(text: string) {
  return spans(text).spans.map((span) => [text.slice(span.start, span.end), span.style.fg, span.style.bg, span.style.flags])
}

describe('colours', () => {
  it('are 16, as the theme has them', () => {
    expect(styles(`${ESC}[31mred${ESC}[0m plain ${ESC}[97;44mwhite on blue`)).toEqual([
      ['red', 1, NONE, 0],
      [' plain ', NONE, NONE, 0],
      ['white on blue', 15, 4, 0],
    ])
  })

  it.each([
    ['38;5;9', 9],
    ['38;5;16', TRUE],
    ['38;5;196', TRUE + 0xff0000],
    ['38;5;232', TRUE + 0x080808],
    ['38;5;255', TRUE + 0xeeeeee],
    ['38:5:208', TRUE + 0xff8700],
    ['38;2;1;2;3', TRUE + 0x010203],
    ['38:2:1:2:3', TRUE + 0x010203],
    ['38:2::1:2:3', TRUE + 0x010203],
  ])('are 256 or true: %s', (parameters, colour) => {
    expect(styles(`${ESC}[${parameters}mx`)).toEqual([['x', colour, NONE, 0]])
  })

  it.each(['38;5;256', '38;2;1;2', '38;2;1;2;300', '38', '38;7;1', '99', '38;5;', '1234567'])(
    'that are none change nothing: %s',
    (parameters) => {
      const [[text, fg, bg]] = styles(`${ESC}[${parameters}mx`) as [[string, number, number]]
      expect(text).toBe('x')
      expect(bg).toBe(NONE)
      expect([NONE, 0]).toContain(fg)
    },
  )

  it('go on with what comes after them in one sequence', () => {
    expect(styles(`${ESC}[38;5;196;1;48;2;0;0;0;4mx`)).toEqual([['x', TRUE + 0xff0000, TRUE, BOLD | UNDERLINE]])
  })

  it('go on to the next line, and end with their reset', () => {
    const first = spans(`${ESC}[32mbegin`)
    expect(spans('end', first.style).spans[0]!.style.fg).toBe(2)
    expect(spans(`${ESC}[m`, first.style).style).toBe(PLAIN)
    expect(spans(`${ESC}[39m`, first.style).style).toBe(PLAIN)
  })
})

it('styles are set and taken back one by one', () => {
  expect(styles(`${ESC}[1;2;3;4;7;9ma${ESC}[22mb${ESC}[23;24mc${ESC}[27;29md`).map(([text, , , flags]) => [text, flags])).toEqual([
    ['a', BOLD | DIM | ITALIC | UNDERLINE | INVERSE | STRIKE],
    ['b', ITALIC | UNDERLINE | INVERSE | STRIKE],
    ['c', INVERSE | STRIKE],
    ['d', 0],
  ])
})

it.each([
  ['cursor and erase', `a${ESC}[2Kb${ESC}[10;20Hc${ESC}[?25ld`, 'abcd'],
  ['a title', `a${ESC}]0;title\x07b`, 'ab'],
  ['a link', `${ESC}]8;;https://example.org${ESC}\\text${ESC}]8;;${ESC}\\`, 'text'],
  ['a character set', `a${ESC}(Bb`, 'ab'],
  ['one that is not ended', `a${ESC}]0;the rest stays`, 'a]0;the rest stays'],
  ['one without an end', `a${ESC}[${'1;'.repeat(300)}`, `a[${'1;'.repeat(300)}`],
  ['a lone escape', `a${ESC}`, 'a'],
  ['HTML', `<script>alert(1)</script>&amp;`, '<script>alert(1)</script>&amp;'],
])('of other sequences only the text is left: %s', (_, text, left) => {
  expect(plain(text)).toBe(left)
  expect(spans(text).spans.map((span) => text.slice(span.start, span.end)).join('')).toBe(left)
})

it('a part of a line is cut like the whole', () => {
  const text = `${ESC}[31mred${ESC}[0mplain`
  expect(spans(text, PLAIN, 0, 7).spans).toEqual([{ start: 5, end: 7, style: { fg: 1, bg: NONE, flags: 0 } }])
})

it('whatever a log holds, spans are in order, within it, and leave out nothing but sequences', () => {
  const pieces = [ESC, '[', ']', '31', ';', ':', 'm', '\x07', '\\', '(', 'B', 'x', 'é', '38;5;1m', 'P', '\x1b[1m', '\r']
  for (let seed = 0; seed < 2_000; seed++) {
    const chance = new Chance(seed)
    const text = Array.from({ length: chance.below(30) }, () => chance.of(pieces)).join('')
    const from = chance.below(text.length + 1)
    const found = spans(text, PLAIN, from).spans
    let at = from
    for (const span of found) {
      expect(span.start).toBeGreaterThanOrEqual(at)
      expect(span.end).toBeGreaterThan(span.start)
      at = span.end
    }
    expect(at).toBeLessThanOrEqual(text.length)
    if (from === 0) expect(found.map((span) => text.slice(span.start, span.end)).join('')).toBe(plain(text))
    expect(plain(text)).not.toContain(ESC)
  }
})

it('a hostile line costs no more than its length', () => {
  const hostile = [`${ESC}[`, `${ESC}]`, `${ESC}[1;`, `${ESC}]${'a'.repeat(50)}`, `${ESC}[0m`, `${ESC}[?`]
  for (const piece of hostile) {
    const text = piece.repeat(200_000 / piece.length)
    const start = performance.now()
    spans(text)
    expect(performance.now() - start).toBeLessThan(1_500)
  }
})
