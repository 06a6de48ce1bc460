/** `g` and a second key lead to a place, also from inside of a log, where `g` alone means its first line. */
import { router } from '@/router'
import { places } from './places'

/** How long a second key may come after `g`. */
const SEQUENCE_MILLISECONDS = 900
let wentAt = -Infinity

/** Notes that `g` was pressed: the next key may name a place. */
export function beginGoing(event: KeyboardEvent): void {
  wentAt = event.timeStamp
}

/** Goes where a key after `g` leads. Returns whether it did. */
export function goFurther(event: KeyboardEvent): boolean {
  const isSecond = event.timeStamp - wentAt < SEQUENCE_MILLISECONDS
  wentAt = -Infinity
  const place = isSecond && !event.ctrlKey && !event.metaKey && !event.altKey ? places.find(({ key }) => key === event.key) : undefined
  if (place) void router.push({ name: place.name })
  return place !== undefined
}
