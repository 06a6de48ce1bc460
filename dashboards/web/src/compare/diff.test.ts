import { expect, test } from 'vitest'
import { Chance } from '@/log/testing/chance'
import { diff, type Block } from './diff'

const lines = (text: string) => (text ? text.split('') : [])
const words = (a: string, b: string) => diff(lines(a), lines(b)).map((block) => `${block.isSame ? '=' : '!'}${a.slice(block.a, block.a + block.aCount)}/${b.slice(block.b, block.b + block.bCount)}`)

/** Whether the blocks go through both from end to end, and say the truth. */
function check(a: readonly string[], b: readonly string[], found: readonly Block[]) {
  let [atA, atB] = [0, 0]
  for (const block of found) {
    expect([block.a, block.b]).toEqual([atA, atB])
    if (block.isSame) expect(a.slice(block.a, block.a + block.aCount)).toEqual(b.slice(block.b, block.b + block.bCount))
    ;[atA, atB] = [atA + block.aCount, atB + block.bCount]
  }
  expect([atA, atB]).toEqual([a.length, b.length])
  for (let i = 1; i < found.length; i++) expect(found[i]!.isSame).not.toBe(found[i - 1]!.isSame)
}

test.each([
  ['', '', []],
  ['abc', 'abc', ['=abc/abc']],
  ['', 'ab', ['!/ab']],
  ['abc', 'abXc', ['=ab/ab', '!/X', '=c/c']],
  ['abc', 'aXc', ['=a/a', '!b/X', '=c/c']],
  ['aXbYc', 'abc', ['=a/a', '!X/', '=b/b', '!Y/', '=c/c']],
  ['xxaxx', 'xxxx', ['=xx/xx', '!a/', '=xx/xx']],
])('%j against %j', (a, b, expected) => expect(words(a, b)).toEqual(expected))

test('whatever is given, the parts go through both from end to end', () => {
  const dice = new Chance(7)
  for (let round = 0; round < 300; round++) {
    const some = () => Array.from({ length: dice.below(12) }, () => dice.of(['x', 'x', 'y', 'z']))
    const [a, b] = [some(), some()]
    check(a, b, diff(a, b))
  }
})

test('lines without anchors are compared as the shortest way goes', () => {
  const dice = new Chance(11)
  for (let round = 0; round < 200; round++) {
    // Each line is there twice, so none is an anchor.
    const some = () => Array.from({ length: 8 }, () => dice.of(['p', 'q'])).flatMap((each) => [each, each])
    const [a, b] = [some(), some()]
    const found = diff(a, b)
    check(a, b, found)
    expect(found.filter((block) => block.isSame).reduce((sum, block) => sum + block.aCount, 0)).toBe(common(a, b))
  }
})

test('twenty thousand lines that all differ, and as many that repeat, are done soon', () => {
  const count = 20_000
  const alike = Array.from({ length: count }, (_, i) => `epoch ${i % 7}`)
  const other = Array.from({ length: count }, (_, i) => `epoch ${i % 5}`)
  const a = Array.from({ length: count }, (_, i) => `a ${i}`)
  const b = Array.from({ length: count }, (_, i) => `b ${i}`)
  const begin = process.cpuUsage()
  check(alike, other, diff(alike, other))
  check(a, b, diff(a, b))
  const spent = process.cpuUsage(begin)
  expect((spent.user + spent.system) / 1e6).toBeLessThan(5)
})

/** How many lines both have in the same order, at most. */
function common(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0)
  for (const line of a) {
    const next = [0]
    b.forEach((other, j) => next.push(line === other ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)))
    row = next
  }
  return row.at(-1)!
}
