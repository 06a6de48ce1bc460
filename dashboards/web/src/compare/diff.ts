/**
 * Where two lists of lines agree, and where not. Lines that each has once are the anchors (patience), and what lies
 * between two of them is compared line by line (Myers) as far as that is cheap; the work is bounded, whatever is given.
 */

/** Lines of `a` from `a` on and of `b` from `b` on; `isSame` when they agree, and then both are as many. */
export interface Block {
  isSame: boolean
  a: number
  aCount: number
  b: number
  bCount: number
}

/** Between two anchors, at most so many differences are looked for: memory and time grow with their square. */
const MOST_EDITS = 400

type Put = (a: number, b: number, count: number) => void

export function diff(a: readonly string[], b: readonly string[]): Block[] {
  const ids = new Map<string, number>()
  const numbered = (lines: readonly string[]) => Uint32Array.from(lines, (line) => ids.get(line) ?? (ids.set(line, ids.size), ids.size - 1))
  const [x, y] = [numbered(a), numbered(b)]
  const same: [number, number, number][] = []
  compare(x, y, { a: 0, aEnd: x.length, b: 0, bEnd: y.length }, (at, to, count) => same.push([at, to, count]))
  return blocks(same, x.length, y.length)
}

interface Part {
  a: number
  aEnd: number
  b: number
  bEnd: number
}

function compare(x: Uint32Array, y: Uint32Array, whole: Part, put: Put): void {
  // Parts that are left, the next one last: a recursion could be as deep as the logs are long.
  const left: (Part | { same: [number, number, number] })[] = [whole]
  for (let part = left.pop(); part; part = left.pop()) {
    if ('same' in part) {
      put(...part.same)
      continue
    }
    let { a, aEnd, b, bEnd } = part
    const [aFirst, bFirst] = [a, b]
    while (a < aEnd && b < bEnd && x[a] === y[b]) [a, b] = [a + 1, b + 1]
    if (a > aFirst) put(aFirst, bFirst, a - aFirst)
    let end = 0
    while (a < aEnd && b < bEnd && x[aEnd - 1] === y[bEnd - 1]) [aEnd, bEnd, end] = [aEnd - 1, bEnd - 1, end + 1]
    if (end) left.push({ same: [aEnd, bEnd, end] })
    if (a === aEnd || b === bEnd) continue
    const anchors = anchorsOf(x, y, { a, aEnd, b, bEnd })
    if (!anchors.length) {
      edits(x, y, { a, aEnd, b, bEnd }, put)
      continue
    }
    const parts: Part[] = []
    let [atA, atB] = [a, b]
    for (const [anchorA, anchorB] of anchors) {
      parts.push({ a: atA, aEnd: anchorA, b: atB, bEnd: anchorB })
      ;[atA, atB] = [anchorA, anchorB]
    }
    // Each part but the first begins with its anchor, so it gets smaller.
    parts.push({ a: atA, aEnd, b: atB, bEnd })
    left.push(...parts.reverse())
  }
}

/** Returns the longest chain of lines that both parts have exactly once, in the order of both. */
function anchorsOf(x: Uint32Array, y: Uint32Array, { a, aEnd, b, bEnd }: Part): [number, number][] {
  const [inA, inB] = [once(x, a, aEnd), once(y, b, bEnd)]
  const pairs: [number, number][] = []
  for (let at = a; at < aEnd; at++) {
    const to = inB.get(x[at]!)
    if (inA.get(x[at]!) === at && to !== undefined && to >= 0) pairs.push([at, to])
  }
  return longest(pairs)
}

/** Returns where each line stands that is there once, and -1 for the others. */
function once(lines: Uint32Array, from: number, end: number): Map<number, number> {
  const found = new Map<number, number>()
  for (let at = from; at < end; at++) found.set(lines[at]!, found.has(lines[at]!) ? -1 : at)
  return found
}

/** Returns the longest chain of pairs, sorted by the first, whose second ones rise too. */
function longest(pairs: readonly [number, number][]): [number, number][] {
  const tails: number[] = []
  const before = new Int32Array(pairs.length).fill(-1)
  pairs.forEach(([, second], i) => {
    let [low, high] = [0, tails.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (pairs[tails[middle]!]![1] < second) low = middle + 1
      else high = middle
    }
    if (low > 0) before[i] = tails[low - 1]!
    tails[low] = i
  })
  const chain: [number, number][] = []
  for (let i = tails.at(-1) ?? -1; i >= 0; i = before[i]!) chain.push(pairs[i]!)
  return chain.reverse()
}

/** Finds the shortest way from `a` to `b` (Myers), and gives up on a part that differs too much. */
function edits(x: Uint32Array, y: Uint32Array, { a, aEnd, b, bEnd }: Part, put: Put): void {
  const [n, m] = [aEnd - a, bEnd - b]
  const most = Math.min(n + m, MOST_EDITS)
  const reach = new Int32Array(2 * most + 3)
  const trace: Int32Array[] = []
  for (let d = 0; d <= most; d++) {
    trace.push(reach.slice(most - d, most + d + 3))
    for (let k = -d; k <= d; k += 2) {
      const isDown = k === -d || (k !== d && reach[most + k]! < reach[most + k + 2]!)
      let i = isDown ? reach[most + k + 2]! : reach[most + k]! + 1
      while (i < n && i - k < m && i - k >= 0 && x[a + i] === y[b + i - k]) i++
      reach[most + 1 + k] = i
      if (i >= n && i - k >= m) return backtrack(trace, a, b, n, m, put)
    }
  }
}

function backtrack(trace: readonly Int32Array[], a: number, b: number, n: number, m: number, put: Put): void {
  const found: [number, number, number][] = []
  let [i, j] = [n, m]
  for (let d = trace.length - 1; d >= 0; d--) {
    const reach = trace[d]!
    const k = i - j
    // `trace[d]` begins at diagonal -d - 1.
    const at = (diagonal: number) => reach[diagonal + d + 1]!
    const isDown = k === -d || (k !== d && at(k - 1) < at(k + 1))
    const from = isDown ? k + 1 : k - 1
    const [iBefore, jBefore] = d === 0 ? [0, 0] : [at(from), at(from) - from]
    const [iStart, jStart] = d === 0 ? [0, 0] : isDown ? [iBefore, jBefore + 1] : [iBefore + 1, jBefore]
    if (i > iStart) found.push([a + iStart, b + jStart, i - iStart])
    ;[i, j] = [iBefore, jBefore]
  }
  for (const each of found.reverse()) put(...each)
}

/** Returns the parts that agree, in order, and what lies between them. */
function blocks(same: readonly [number, number, number][], aLength: number, bLength: number): Block[] {
  const found: Block[] = []
  let [a, b] = [0, 0]
  const gap = (aEnd: number, bEnd: number) => {
    if (aEnd > a || bEnd > b) found.push({ isSame: false, a, aCount: aEnd - a, b, bCount: bEnd - b })
  }
  for (const [at, to, count] of same) {
    gap(at, to)
    const last = found.at(-1)
    if (last?.isSame && at === a && to === b) {
      last.aCount += count
      last.bCount += count
    } else found.push({ isSame: true, a: at, aCount: count, b: to, bCount: count })
    ;[a, b] = [at + count, to + count]
  }
  gap(aLength, bLength)
  return found
}
