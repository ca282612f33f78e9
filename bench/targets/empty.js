// The least that a worker can do.
const body = JSON.stringify({ hello: "world", numbers: [1, 2, 3], nested: { yes: true } });

export default {
  fetch() {
    return new Response(body, { headers: { "Content-Type": "application/json" } });
  },
};
