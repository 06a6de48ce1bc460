import { describe, expect, it } from 'vitest'
import { closed, fromQuery, inView, MOST, opened, stepped, toQuery, type Board } from './board'

const board = (runs: string, active = runs[0], layout: Board['layout'] = 'one'): Board => ({ runs: [...runs], active, layout })

describe('the address', () => {
  it.each([
    [board('abc', 'b', 'two'), { run: ['a', 'b', 'c'], active: 'b', layout: 'two' }],
    [board('abc'), { run: ['a', 'b', 'c'] }],
    [board('', undefined), {}],
  ])('holds all of it', (state, query) => {
    expect(toQuery(state)).toEqual(query)
    expect(fromQuery(query)).toEqual(state)
  })

  it('may hold anything', () => {
    expect(fromQuery({ run: ['a', null, 'a', '', 'b'], active: 'z', layout: 'x' })).toEqual(board('ab'))
    expect(fromQuery({ run: 'a', layout: ['four'] })).toEqual(board('a', 'a', 'four'))
    expect(fromQuery({ run: Array.from({ length: 200 }, (_, index) => `r${index}`) }).runs).toHaveLength(MOST)
  })
})

describe('closing', () => {
  it.each([
    ['abc', 'a', 'a', 'b'],
    ['abc', 'b', 'b', 'c'],
    ['abc', 'c', 'c', 'b'],
    ['abc', 'a', 'c', 'a'],
    ['a', 'a', 'a', undefined],
  ])('of %s with %s active: %s closes, %s is active', (runs, active, run, next) => {
    expect(closed(board(runs, active), run).active).toBe(next)
  })

  it('of what is not open changes nothing', () => {
    expect(closed(board('ab'), 'z')).toEqual(board('ab'))
  })
})

it('a run is opened once', () => {
  expect(opened(board('ab'), 'c')).toEqual(board('abc', 'c'))
  expect(opened(board('ab'), 'b')).toEqual(board('ab', 'b'))
})

it('tabs go around', () => {
  expect([stepped(board('abc', 'c'), 1).active, stepped(board('abc', 'a'), -1).active]).toEqual(['a', 'c'])
  expect(stepped(board('', undefined), 1).active).toBeUndefined()
})

it('side by side are the active one and its neighbours', () => {
  expect(inView(board('abcdef', 'c', 'two'))).toEqual(['c', 'd'])
  expect(inView(board('abcdef', 'f', 'four'))).toEqual(['c', 'd', 'e', 'f'])
  expect(inView(board('ab', 'b', 'four'))).toEqual(['a', 'b'])
  expect(inView(board('ab', 'b'))).toEqual(['b'])
})
