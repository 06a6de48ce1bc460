/** A line, or some that follow each other, in the address: `#L12` or `#L12-L20`. */

export interface LinesInAddress {
  readonly first: number
  readonly last: number
}

export function parseLines(hash: string): LinesInAddress | undefined {
  const match = /^#?L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash)
  if (!match) return undefined
  const [one, other] = [Number(match[1]), Number(match[2] ?? match[1])]
  if (one < 1 || other < 1) return undefined
  return { first: Math.min(one, other), last: Math.max(one, other) }
}

export function formatLines({ first, last }: LinesInAddress): string {
  return first === last ? `#L${first}` : `#L${first}-L${last}`
}
