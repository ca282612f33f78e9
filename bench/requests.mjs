// Requests as the bytes that go over the wire, rendered before the clock starts.

/** What every request names as its host, whatever the port. */
export const HOST = "localhost";

export function render(method, path, headers, body = "") {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  if (method !== "GET") lines.push(`Content-Length: ${body.length}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

export const get = (path, headers = {}) => render("GET", path, headers);

export const json = (path, value, headers = {}) => render("POST", path, { ...headers, "Content-Type": "application/json" }, JSON.stringify(value));

export const form = (path, fields, headers = {}) =>
  render("POST", path, { ...headers, "Content-Type": "application/x-www-form-urlencoded" }, new URLSearchParams(fields).toString());

export const bearer = (token) => ({ Authorization: `Bearer ${token}` });

export const times = (count, make) => Array.from({ length: Math.ceil(count) }, (_, index) => make(index));
