SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#try",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  tryItOutEnabled: true,
  // Whoever sends a request by hand needs a key of its own for each one that changes something.
  requestInterceptor: (request) => {
    if (request.method === "POST" && !request.headers["Idempotency-Key"] && request.url.includes("/v1/")) {
      request.headers["Idempotency-Key"] = crypto.randomUUID();
    }
    return request;
  },
});
