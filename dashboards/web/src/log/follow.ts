/** Following a log is being at its end: going up lets go of it, coming to the end takes it up again. */

export interface Follow {
  readonly isFollowing: boolean
  /** Lines that the log had when it was let go of. */
  readonly seen: number
}

export type FollowEvent =
  | { readonly kind: 'moved'; readonly isAtEnd: boolean; readonly total: number }
  | { readonly kind: 'toggled'; readonly total: number }

export function opened(isFollowing: boolean, total: number): Follow {
  return { isFollowing, seen: total }
}

export function follow(state: Follow, event: FollowEvent): Follow {
  const isFollowing = event.kind === 'toggled' ? !state.isFollowing : event.isAtEnd
  if (isFollowing === state.isFollowing) return state
  return { isFollowing, seen: event.total }
}

/** How many lines came since; what the button says. */
export function newLines(state: Follow, total: number): number {
  return state.isFollowing ? 0 : Math.max(0, total - state.seen)
}
