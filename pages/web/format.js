// Times as the page writes them. Pure.

/** 7 s, 1 min 05 s, 2 h 03 min: never more than two units. */
export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
}

/** A step's time: tenths while they matter. */
export function stepDuration(ms) {
  return ms < 10_000 ? `${(Math.floor(ms / 100) / 10).toFixed(1)} s` : duration(ms);
}

/** hh:mm, rounded up so that 00:00 means over. */
export function hoursMinutes(seconds) {
  const minutes = Math.ceil(seconds / 60);
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function two(number) {
  return String(number).padStart(2, '0');
}

/** 0 B, 940 kB, 1.2 MB: decimal, as links are sold. */
export function bytes(amount) {
  if (amount < 1000) return `${Math.round(amount)} B`;
  if (amount < 999_500) return `${Math.round(amount / 1000)} kB`;
  return `${(amount / 1_000_000).toFixed(1)} MB`;
}

/** For a file's name: the local time, to the second. */
export function fileTime(date) {
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day}-${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
