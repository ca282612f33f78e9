// Addresses that registrations come from, so that limits of one network do not stop those of others.

/**
 * Where registrations come from: half IPv4, half IPv6; of a /24 or /48, twenty addresses or /64s register, while 63 other networks
 * do the same, each at another point of its twenty. Each network is one rate limiter.
 */
let arrivals = 0;
function address() {
  const PER_NETWORK = 20;
  const AT_ONCE = 64;
  const lane = arrivals % AT_ONCE;
  const turn = Math.floor(arrivals / AT_ONCE) + (lane % PER_NETWORK);
  const network = lane + AT_ONCE * Math.floor(turn / PER_NETWORK);
  const host = turn % PER_NETWORK;
  const half = Math.floor(network / 2);
  arrivals += 1;
  return network % 2 ? `2001:db8:${half.toString(16)}:${host.toString(16)}::1` : `10.${(half >> 8) & 255}.${half & 255}.${host + 1}`;
}

/** The header that names another address each time. */
export const from = () => ({ "CF-Connecting-IP": address() });
