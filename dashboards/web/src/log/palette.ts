/** What a style looks like on the theme that is on. */

import { BOLD, DIM, HIDDEN, INVERSE, ITALIC, NONE, STRIKE, TRUE, UNDERLINE, type Colour, type Style } from './ansi'
import { contrast, readable, unpacked, type Rgb } from './contrast'

/** The background of the log, and its text. */
export interface Theme {
  readonly paper: Rgb
  readonly ink: Rgb
}

export interface Look {
  readonly color: string
  readonly background: string
  readonly classes: string
}

const ON_DARK: readonly number[] = [
  0x6b7280, 0xff7b80, 0x5fd38d, 0xe6c05c, 0x7aa8ff, 0xd69cff, 0x4fd1d9, 0xd5dae3,
  0x8b93a3, 0xffa3a6, 0x8ce8ae, 0xf6d988, 0xa6c5ff, 0xe5c1ff, 0x8be6ec, 0xffffff,
]
const ON_LIGHT: readonly number[] = [
  0x1f2430, 0xb8202f, 0x0b7040, 0x855800, 0x1b55c0, 0x8a35b5, 0x096b78, 0x5b6270,
  0x5b6270, 0xd02638, 0x0d7a46, 0x8a6100, 0x2a63d6, 0x9a3fca, 0x0a7382, 0x3a414e,
]

export class Palette {
  private readonly looks = new Map<string, Look>()
  private readonly colours: readonly number[]

  constructor(readonly theme: Theme) {
    this.colours = contrast(theme.paper, [0, 0, 0]) > contrast(theme.paper, [255, 255, 255]) ? ON_LIGHT : ON_DARK
  }

  look(style: Style): Look {
    const key = `${style.fg}/${style.bg}/${style.flags}`
    const known = this.looks.get(key)
    if (known) return known
    // A hostile log can have any number of colours.
    if (this.looks.size > 4_000) this.looks.clear()
    const look = this.make(style)
    this.looks.set(key, look)
    return look
  }

  private make({ fg, bg, flags }: Style): Look {
    let front = this.rgb(fg)
    let back = this.rgb(bg)
    if (flags & INVERSE) [front, back] = [back ?? this.theme.paper, front ?? this.theme.ink]
    const color = front || back ? readable(front ?? this.theme.ink, back ?? this.theme.paper) : undefined
    return { color: color ? css(color) : '', background: back ? css(back) : '', classes: classes(flags) }
  }

  private rgb(colour: Colour): Rgb | undefined {
    if (colour === NONE) return undefined
    return unpacked(colour >= TRUE ? colour - TRUE : (this.colours[colour] ?? 0))
  }
}

const NAMES: readonly (readonly [number, string])[] = [
  [BOLD, 'log-bold'],
  [DIM, 'log-dim'],
  [ITALIC, 'log-italic'],
  [UNDERLINE, 'log-underline'],
  [STRIKE, 'log-strike'],
  [HIDDEN, 'log-hidden'],
]

function classes(flags: number): string {
  return NAMES.filter(([flag]) => flags & flag)
    .map(([, name]) => name)
    .join(' ')
}

function css([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`
}
