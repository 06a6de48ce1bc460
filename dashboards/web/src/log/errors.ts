/** What an error looks like in a log. */

import { plain } from './ansi'

/** Where a word begins, also right after a colour. */
const START = '(?:(?<![A-Za-z0-9_])|(?<=[0-9;\\[]m))'
/** Where a line begins, also with a colour. */
const LINE = '^(?:\\x1b\\[[0-9;]*m)*'

/** Read alike by JavaScript, for lines in view, and by Python's `re`, for the whole log on the server. */
export const ERROR_PATTERN = [
  `${START}(?:ERROR|FATAL|CRITICAL|PANIC)(?![A-Za-z0-9_])`,
  `${LINE}(?:[A-Za-z_][A-Za-z0-9_]*\\.)*[A-Za-z0-9_]*(?:Error|Exception|Interrupt)(?::|(?:\\x1b\\[[0-9;]*m)|$)`,
  `${START}(?:[Ee]rror|[Ff]atal)(?:\\[[A-Z0-9]+\\])?: `,
  `${START}panicked at `,
  `${START}Segmentation fault`,
  `${START}core dumped`,
  `${LINE}Killed$`,
].join('|')

const ERROR = new RegExp(ERROR_PATTERN)

export function isError(text: string): boolean {
  return ERROR.test(text.length > 2_000 ? text.slice(0, 2_000) : text)
}

/** The number of the line that tells best why it failed: the last one that looks like an error. */
export function lastError(lines: readonly { number: number; text: string }[]): number | undefined {
  for (let at = lines.length - 1; at >= 0; at--) {
    if (isError(lines[at]!.text)) return lines[at]!.number
  }
  return undefined
}

/** The name of the exception that a line tells of, for the head of a folded traceback. */
export function exceptionIn(text: string): string {
  return plain(text).trim().slice(0, 200)
}
