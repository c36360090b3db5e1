import { useSyncExternalStore } from "react";

const never = () => () => {};

/** A time of day where the reader is; the server does not know where that is and says nothing. */
export function Time({ at }: { at: number }) {
  const text = useSyncExternalStore(
    never,
    () => inWords(new Date(at)),
    () => "…",
  );
  return <time dateTime={new Date(at).toISOString()}>{text}</time>;
}

function inWords(date: Date): string {
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? time : `${date.toLocaleDateString([], { weekday: "long" })}, ${time}`;
}
