/** What can be done to what is on the screen: by its key, and in the palette. */
import { onScopeDispose, shallowReactive, type Component } from 'vue'

export interface Offer {
  label: string
  icon: Component
  /** One key that does it, where nothing else takes the key. */
  key?: string
  danger?: boolean
  do: () => void
}

const sources = shallowReactive(new Set<() => readonly Offer[]>())

/** Offers these for as long as the component that calls it is there. */
export function offer(source: () => readonly Offer[]): void {
  sources.add(source)
  onScopeDispose(() => sources.delete(source))
}

/** All that is offered just now; of two things with one label, the one that came last. */
export function offers(): Offer[] {
  return [...new Map([...sources].flatMap((source) => source()).map((each) => [each.label, each])).values()]
}
