import { expect, it } from 'vitest'
import { HitWalk, localPattern, type Found, type Hit, type Wanted } from './search'

function log(count: number) {
  const asked: Wanted[] = []
  const state = { count, asked }
  const hit = (rank: number): Hit => ({ offset: rank * 10, length: 2, line: rank + 1, before: '', match: 'ab', after: '' })
  const ask = (wanted: Wanted): Promise<Found> => {
    asked.push(wanted)
    const first = wanted.skip ?? Math.ceil((wanted.offset ?? 0) / 10)
    const hits = Array.from({ length: Math.max(0, Math.min(wanted.limit, state.count - first)) }, (_, index) => hit(first + index))
    return Promise.resolve({ count: state.count, before: hits.length ? first : state.count, hits, complete: true })
  }
  return { state, walk: new HitWalk(ask) }
}

it('begins at the first hit from where one is', async () => {
  const { walk } = log(100_000)
  expect((await walk.start(55_555))?.offset).toBe(55_560)
  expect([walk.rank, walk.count]).toEqual([5_556, 100_000])
})

it('goes around both ends', async () => {
  const { walk } = log(100_000)
  await walk.start(0)
  expect((await walk.move(-1))?.line).toBe(100_000)
  expect((await walk.move(1))?.line).toBe(1)
})

it('reaches every hit, in order, asking seldom', async () => {
  const { walk, state } = log(3_000)
  await walk.start(29_000)
  for (let rank = 2_900; rank > 100; rank--) expect((await walk.move(-1))?.offset).toBe((rank - 1) * 10)
  expect(state.asked.length).toBeLessThan(20)
})

it('begins anew where there is none behind', async () => {
  const { walk } = log(10)
  expect((await walk.start(1_000))?.line).toBe(1)
})

it('finds nothing in peace', async () => {
  const { walk } = log(0)
  expect(await walk.start(0)).toBeUndefined()
  expect(await walk.move(1)).toBeUndefined()
  expect(await walk.move(-1)).toBeUndefined()
})

it('goes on to hits that came since', async () => {
  const { walk, state } = log(3)
  await walk.start(20)
  state.count = 5
  expect((await walk.move(1))?.line).toBe(4)
  expect(walk.count).toBe(5)
})

it('shows in view what it looks for, as far as JavaScript knows the pattern', () => {
  expect('a.b A.B'.match(localPattern('a.b', false, true)!)).toEqual(['a.b', 'A.B'])
  expect('axb a.b'.match(localPattern('a.b', true, false)!)).toEqual(['axb', 'a.b'])
  expect(localPattern('(', true, false)).toBeUndefined()
  expect(localPattern('(?P<x>a)', true, false)).toBeUndefined()
  expect(localPattern('', false, false)).toBeUndefined()
})
