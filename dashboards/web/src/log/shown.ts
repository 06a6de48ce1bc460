/** Characters that would be invisible, or would rearrange the line, in a form that can be seen. */

// Controls but the tab; marks that turn the direction of writing; those of no width; and what no font has.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\0-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Text of a log for a text node. */
export function shown(text: string): string {
  return text.replace(UNSEEN, (character) => {
    const code = character.charCodeAt(0)
    if (code < 0x20) return String.fromCharCode(0x2400 + code)
    return code === 0x7f ? '\u2421' : `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`
  })
}
