/**
 * Watches which parts of a request are on screen. What lies under the bar with the buttons, or is clipped on
 * either side, is not in view; neither is anything while the page is hidden, since browsers report nothing then.
 */
import { createContext } from "preact";
import {
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
} from "preact/hooks";
import { createSeen, edgesIn } from "./in-view.ts";

interface Watcher {
  /** Follows an element that draws the part `key` until the returned function is called. */
  watch(key: string, element: Element): () => void;
  /** Lets {@link InView.showNext} find the part `key`, which is not drawn in full here. */
  place(key: string, element: Element): () => void;
}

const none: Watcher = { watch: () => () => {}, place: () => () => {} };

/** Outside of a watched request nothing is followed. */
export const Watching = createContext<Watcher>(none);

export interface InView {
  readonly watcher: Watcher;
  /** Those of `keys` that have not been in view. */
  unseen(keys: readonly string[]): readonly string[];
  /** Scrolls to the first of `keys` that is drawn. */
  showNext(keys: readonly string[]): void;
}

const thresholds = Array.from({ length: 21 }, (_, i) => i / 20);

/** What lies over the view's upper and lower end, in CSS pixels. */
export interface Covered {
  readonly top: number;
  readonly bottom: number;
}

export function useInView({ top, bottom }: Covered): InView {
  const seen = useMemo(createSeen, []);
  const [, redraw] = useReducer<number, undefined>((count) => count + 1, 0);
  const places = useRef(new Map<string, Element>());

  const place = useCallback((key: string, element: Element) => {
    places.current.set(key, element);
    return () => {
      if (places.current.get(key) === element) places.current.delete(key);
    };
  }, []);

  const { observer, watcher } = useMemo(() => {
    const keys = new Map<Element, string>();
    const observer = new IntersectionObserver(
      (entries) => {
        let news = false;
        for (const { target, isIntersecting, boundingClientRect, intersectionRect } of entries) {
          const key = keys.get(target);
          if (key === undefined || !isIntersecting) continue;
          news = seen.note(key, edgesIn(boundingClientRect, intersectionRect)) || news;
        }
        if (news) redraw(undefined);
      },
      { rootMargin: `${-Math.ceil(top)}px 0px ${-Math.ceil(bottom)}px 0px`, threshold: thresholds },
    );
    const watcher: Watcher = {
      place,
      watch(key, element) {
        const forget = place(key, element);
        keys.set(element, key);
        observer.observe(element);
        return () => {
          forget();
          keys.delete(element);
          observer.unobserve(element);
        };
      },
    };
    return { observer, watcher };
  }, [top, bottom, place, seen]);
  useEffect(() => () => observer.disconnect(), [observer]);

  return {
    watcher,
    unseen: seen.unseen,
    showNext(wanted) {
      for (const key of wanted) {
        const element = places.current.get(key);
        if (!element) continue;
        element.scrollIntoView({ block: "start" });
        return;
      }
    },
  };
}

/** A ref for the element that draws the part `key`. */
export function usePart<E extends Element>(key: string, how: "watch" | "place" = "watch") {
  const watcher = useContext(Watching);
  const ref = useRef<E>(null);
  useLayoutEffect(() => (ref.current ? watcher[how](key, ref.current) : undefined), [watcher, key, how]);
  return ref;
}
