import { expect, test } from 'vitest'
import { diff } from './diff'
import { changedPart, differences, rowsOf } from './rows'

const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`)
const blocks = diff([...lines(0, 20), 'old', 'older', ...lines(20, 40)], [...lines(0, 20), 'new', ...lines(20, 40)])

test('what agrees far from a difference is folded, and opened by its first line', () => {
  const rows = rowsOf(blocks, true, new Set())
  expect(rows.map((row) => row.kind)).toEqual(['fold', 'same', 'same', 'same', 'changed', 'changed', 'same', 'same', 'same', 'fold'])
  expect(rows[0]).toMatchObject({ count: 17, fold: 0 })
  expect(rowsOf(blocks, true, new Set([0]))).toHaveLength(10 + 16)
})

test('changed lines stand side by side, or below each other', () => {
  const changed = (isSplit: boolean) => rowsOf(blocks, isSplit, new Set()).filter((row) => row.kind === 'changed').map((row) => [row.a, row.b])
  expect(changed(true)).toEqual([[20, 20], [21, null]])
  expect(changed(false)).toEqual([[20, null], [21, null], [null, 20]])
})

test('each difference is gone to once', () => expect(differences(rowsOf(blocks, false, new Set()))).toEqual([4]))

test('of two lines the part is marked that differs', () => {
  expect(changedPart('loss 0.41 ok', 'loss 0.5 ok')).toEqual({ a: [7, 9], b: [7, 8] })
  expect(changedPart('aa', 'aaa')).toEqual({ a: [2, 2], b: [2, 3] })
})
