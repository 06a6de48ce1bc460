/** From one line that looks like an error to the next, in the whole log, wherever one has scrolled to. */

import { search } from './api'
import { ERROR_PATTERN } from './errors'
import type { Line } from './line'
import { HitWalk, type Hit } from './search'
import type { Whose } from './session'

export class ErrorWalk {
  /** The line of the error that was gone to last; 0 before any. */
  last = 0
  private readonly walk: HitWalk

  constructor(
    whose: Whose,
    private readonly line: (number: number) => Line | undefined,
  ) {
    this.walk = new HitWalk((wanted) => search(whose, { text: ERROR_PATTERN, isRegex: true, ignoreCase: false }, wanted))
  }

  /** How many there are, which one this is, and whether the whole log was searched. */
  get standing() {
    const { count, rank, isComplete } = this.walk
    return { count, rank, isComplete }
  }

  /** Go to the next error or back, from the rows `first` to `last` that are in view. */
  async step(by: 1 | -1, first: number, last: number): Promise<Hit | undefined> {
    await this.move(by, first, last)
    const hit = this.walk.current
    if (hit) this.last = hit.line
    return hit
  }

  private async move(by: 1 | -1, first: number, last: number): Promise<void> {
    const { walk } = this
    const isInView = this.last > first && this.last <= last + 1
    const from = isInView ? this.last : first + 1
    if (walk.rank < 0 || !isInView || walk.current?.line !== this.last) {
      const offset = this.line(from)?.offset ?? 0
      await walk.start(by === 1 && isInView ? offset + (this.line(from)?.length ?? 0) : offset)
      if (by === 1) return
    }
    const { rank } = walk
    do await walk.move(by)
    while (walk.current?.line === this.last && walk.rank !== rank)
  }
}
