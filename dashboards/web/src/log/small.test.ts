import { describe, expect, it } from 'vitest'
import { formatLines, parseLines } from './address'
import { follow, newLines, opened } from './follow'
import { shown } from './shown'
import { EventParser } from './sse'
import { Chance } from './testing/chance'

describe('the address', () => {
  it.each([
    ['#L12', { first: 12, last: 12 }],
    ['#L12-L20', { first: 12, last: 20 }],
    ['#L20-12', { first: 12, last: 20 }],
    ['#L0', undefined],
    ['#L1x', undefined],
    ['', undefined],
  ])('%s', (hash, lines) => {
    expect(parseLines(hash)).toEqual(lines)
    if (lines && !hash.endsWith('-12')) expect(formatLines(lines)).toBe(hash)
  })
})

describe('following', () => {
  it('lets go when one goes up, and counts what comes', () => {
    const state = follow(opened(true, 10), { kind: 'moved', isAtEnd: false, total: 10 })
    expect([state.isFollowing, newLines(state, 15)]).toEqual([false, 5])
    expect(newLines(follow(state, { kind: 'moved', isAtEnd: false, total: 15 }), 16)).toBe(6)
  })

  it('takes up again at the end', () => {
    const state = follow(opened(false, 10), { kind: 'moved', isAtEnd: true, total: 20 })
    expect([state.isFollowing, newLines(state, 25)]).toEqual([true, 0])
  })

  it('is switched by a key', () => {
    const state = follow(opened(true, 10), { kind: 'toggled', total: 12 })
    expect([state.isFollowing, newLines(state, 13)]).toEqual([false, 1])
    expect(follow(state, { kind: 'toggled', total: 13 }).isFollowing).toBe(true)
  })
})

it('what could hide or turn text is shown as what it is', () => {
  expect(shown('a\tb\0c\x1bd\x7f')).toBe('a\tb␀c␛d␡')
  expect(shown('x\u202egpj.exe\u2066')).toBe('x⟨U+202E⟩gpj.exe⟨U+2066⟩')
  expect(shown('é 漢字 🚀')).toBe('é 漢字 🚀')
})

it('events are the same wherever the stream is cut', () => {
  const text =
    'retry: 1000\n\n: quiet\n\nid: 1:5\nevent: log\ndata: {"text":"é\\n"}\n\ndata: one\ndata:two\r\n\r\nid: 9\nevent: end\ndata: {}\n\nevent: lost\n\n'
  const whole = new EventParser().push(text)
  expect(whole).toEqual([
    { kind: 'log', id: '1:5', data: '{"text":"é\\n"}' },
    { kind: 'message', id: '1:5', data: 'one\ntwo' },
    { kind: 'end', id: '9', data: '{}' },
  ])
  for (let seed = 0; seed < 200; seed++) {
    const chance = new Chance(seed)
    const parser = new EventParser()
    const found = []
    for (let at = 0; at < text.length; ) {
      const next = at + 1 + chance.below(12)
      found.push(...parser.push(text.slice(at, next)))
      at = next
    }
    expect(found).toEqual(whole)
  }
})
