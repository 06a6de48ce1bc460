/** The rows of a merged log: each line with the run that it is of. */

import { PLAIN } from '@/log/ansi'
import { isError } from '@/log/errors'
import type { Row } from '@/log/row'
import type { Rows } from '@/log/rows'
import type { MergedLog } from './merged'

export interface Origin {
  readonly name: string
  readonly colour: number
}

export class MergedRows implements Rows {
  withTimes = false

  constructor(
    private readonly log: MergedLog,
    private readonly originOf: (runId: string) => Origin | undefined,
    private readonly href: (runId: string, number: number) => string,
  ) {}

  get total(): number {
    return this.log.lines.length
  }

  prepare(): void {}

  need(): void {}

  isHidden(): boolean {
    return false
  }

  row(index: number): Row {
    const { runId, line, at } = this.log.lines[index]!
    return {
      label: String(line.number),
      href: this.href(runId, line.number),
      line,
      style: PLAIN,
      time: this.withTimes ? at : undefined,
      source: this.originOf(runId),
      marks: [],
      isTarget: false,
      isError: isError(line.text),
      isContext: false,
      isBreak: false,
      showsUpdates: false,
      dropped: 0,
    }
  }
}
