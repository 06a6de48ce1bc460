/** Server-Sent Events out of a stream of text, wherever it is cut. */

export interface ServerEvent {
  readonly kind: string
  readonly id: string
  readonly data: string
}

export class EventParser {
  private rest = ''
  private kind = ''
  private id = ''
  private data: string[] = []

  /** The events that are whole now. */
  push(text: string): ServerEvent[] {
    const found: ServerEvent[] = []
    const all = this.rest + text
    let start = 0
    for (let end = all.indexOf('\n'); end >= 0; end = all.indexOf('\n', start)) {
      const event = this.line(all.slice(start, all[end - 1] === '\r' ? end - 1 : end))
      if (event) found.push(event)
      start = end + 1
    }
    this.rest = all.slice(start)
    return found
  }

  private line(line: string): ServerEvent | undefined {
    if (line === '') {
      const event = { kind: this.kind || 'message', id: this.id, data: this.data.join('\n') }
      const isEvent = this.data.length > 0
      this.kind = ''
      this.data = []
      return isEvent ? event : undefined
    }
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'event') this.kind = value
    else if (name === 'data') this.data.push(value)
    else if (name === 'id') this.id = value
    return undefined
  }
}
