import { describe, expect, it } from 'vitest'
import { LONGEST, type Window } from './line'
import { Tail } from './tail'
import { Chance } from './testing/chance'

const encoder = new TextEncoder()
const bytes = (text: string) => encoder.encode(text).length

function all(tail: Tail) {
  const found = []
  for (let number = tail.first; number <= tail.last; number++) found.push({ ...tail.get(number)! })
  return found
}

it('lines are the same wherever the log is cut into pieces', () => {
  const parts = ['a', 'line\n', '\n', 'é\n', '🚀', '漢', '\r\n', '10%\r20%\r', 'x'.repeat(LONGEST + 5), `${'bar\r'.repeat(6_000)}\n`]
  for (let seed = 0; seed < 300; seed++) {
    const chance = new Chance(seed)
    const pieces = Array.from({ length: 1 + chance.below(25) }, () => chance.of(parts))
    const text = pieces.join('')
    const whole = new Tail()
    whole.push(text, 0, bytes(text))
    const cut = new Tail()
    let offset = 0
    const characters = Array.from(text)
    for (let at = 0; at < characters.length; ) {
      const next = at + 1 + chance.below(chance.of([3, 40, 20_000]))
      const piece = characters.slice(at, next).join('')
      cut.push(piece, offset, offset + bytes(piece))
      offset += bytes(piece)
      at = next
    }
    expect(all(cut)).toEqual(all(whole))
    expect(cut.next).toBe(bytes(text))
    const expected = text.split('\n')
    if (expected.at(-1) === '') expected.pop()
    expect(all(whole).map((line) => line.length)).toEqual(expected.map(bytes))
    expect(all(whole).map((line) => line.isCut)).toEqual(expected.map((line) => line.length > LONGEST))
  }
})

it('what comes twice counts once', () => {
  const tail = new Tail()
  tail.push('one\ntwo\n', 0, 8)
  tail.push('wo\nthree\n', 5, 14)
  tail.push('one\n', 0, 4)
  expect(all(tail).map((line) => line.text)).toEqual(['one', 'two', 'three'])
  expect(tail.next).toBe(14)
})

it('of a long line its beginning is kept, and what a progress bar shows last', () => {
  const tail = new Tail()
  let offset = 0
  for (let step = 0; step < 20_000; step++) {
    const piece = `${step} of 20000\r`
    tail.push(piece, offset, offset + piece.length)
    offset += piece.length
  }
  const line = tail.get(1)!
  expect([line.isCut, line.update, line.length]).toEqual([true, '19999 of 20000', offset])
  expect(line.text.length).toBe(LONGEST)
})

it('a gigabyte leaves little behind', () => {
  const tail = new Tail()
  const piece = `${'x'.repeat(63)}\n`.repeat(1_024)
  for (let number = 0; number < 16_384; number++) tail.push(piece, number * 65_536, (number + 1) * 65_536)
  expect(tail.last).toBe(16_777_216)
  expect(tail.last - tail.first).toBeLessThan(5_001)
  expect(tail.get(tail.first - 1)).toBeUndefined()
  expect(tail.get(16_777_216)!.offset).toBe(16_777_215 * 64)
})

it('one line of a gigabyte, too', () => {
  const tail = new Tail()
  const piece = 'x'.repeat(65_536)
  for (let number = 0; number < 16_384; number++) tail.push(piece, number * 65_536, (number + 1) * 65_536)
  const line = tail.get(1)!
  expect([line.text.length, line.length, line.isCut, line.update]).toEqual([LONGEST, 2 ** 30, true, undefined])
})

describe('after an answer', () => {
  const line = { number: 7, offset: 100, length: 4, text: 'last', isCut: false }
  const window = (more: Partial<Window>): Window => ({ lines: [line], total: 7, size: 105, gap: null, ...more })

  it('goes on with the next line where the last has ended', () => {
    const tail = Tail.after(window({}))
    tail.push('next\n', 105, 110)
    expect(all(tail).map(({ number, text }) => [number, text])).toEqual([[7, 'last'], [8, 'next']])
  })

  it('takes a line that has not ended from its beginning once more', () => {
    const tail = Tail.after(window({ size: 104 }))
    expect([tail.last, tail.next, tail.get(7)!.text]).toEqual([7, 100, 'last'])
    tail.push('last\r and', 100, 109)
    tail.push(' more\n', 109, 115)
    expect(all(tail).map(({ number, text, length }) => [number, text, length])).toEqual([[7, 'last\r and more', 14]])
  })

  it('goes on within one that is too long', () => {
    const long = { ...line, length: 50_000, isCut: true }
    const tail = Tail.after(window({ lines: [long], size: 50_100 }))
    tail.push('!\nnext', 50_100, 50_106)
    expect(all(tail).map(({ text, length }) => [text, length])).toEqual([['last', 50_001], ['next', 4]])
  })

  it('goes on behind the last line of the answer where there are more', () => {
    const tail = Tail.after(window({ total: 9, size: 200 }))
    expect([tail.last, tail.next]).toEqual([7, 105])
  })

  it('begins where a log is empty', () => {
    expect(Tail.after({ lines: [], total: 0, size: 0, gap: null }).last).toBe(0)
  })
})

it('the line in which bytes were dropped goes on behind them', () => {
  const tail = new Tail()
  tail.push('one\nbegin', 0, 9)
  tail.skip({ offset: 9, end: 1_009 })
  tail.push(' end\nnext\n', 1_009, 1_019)
  expect(all(tail).map(({ number, text, length, isCut }) => [number, text, length, isCut])).toEqual([
    [1, 'one', 3, false],
    [2, 'begin', 1_009, true],
    [3, 'next', 4, false],
  ])
})

it('numbers follow those of the server where it counts anew', () => {
  const tail = new Tail(101, 1_000)
  tail.push('a\nb\nc', 1_000, 1_005)
  tail.renumber(52, 1_004)
  expect(all(tail).map(({ number, text }) => [number, text])).toEqual([[51, 'a'], [52, 'b'], [53, 'c']])
  expect([tail.first, tail.last]).toEqual([51, 53])
})
