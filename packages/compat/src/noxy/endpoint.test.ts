import { ConfigurationError } from "@guard/core";
import { describe, expect, it } from "vitest";
import { parseEndpoint } from "./endpoint.ts";

describe("an endpoint", () => {
  it.each([
    ["https://relay.noxy.network", "relay.noxy.network:443"],
    ["https://relay.noxy.network/", "relay.noxy.network:443"],
    ["https://relay.noxy.network:443///", "relay.noxy.network:443"],
    ["relay.noxy.network", "relay.noxy.network:443"],
    ["HTTPS://Relay.Example.com:8443", "relay.example.com:8443"],
    [" relay.example.com:80 ", "relay.example.com:80"],
    ["http://relay.example.com", "relay.example.com:443"],
    ["http://relay.example.com:8080", "relay.example.com:8080"],
    ["https://127.0.0.1:9000", "127.0.0.1:9000"],
    ["localhost:9000", "localhost:9000"],
    ["https://[::1]:9000", "[::1]:9000"],
    // Names that only begin like this machine's.
    ["http://localhost.example.com:9000", "localhost.example.com:9000"],
    ["http://127.0.0.1.example.com", "127.0.0.1.example.com:443"],
  ])("%s is TLS to %s", (endpoint, address) => {
    expect(parseEndpoint(endpoint)).toEqual({ address, plaintext: false });
  });

  it.each([
    ["http://127.0.0.1:9000", "127.0.0.1:9000"],
    ["http://localhost:9000/", "localhost:9000"],
    ["http://[::1]:9000", "[::1]:9000"],
    ["http://localhost", "localhost:80"],
  ])("%s is plaintext, since it is this machine", (endpoint, address) => {
    expect(parseEndpoint(endpoint)).toEqual({ address, plaintext: true });
  });

  it.each([
    "https://",
    "https:///",
    "ftp://relay.example.com",
    "https://relay.example.com/v1",
    "https://relay.example.com?a=b",
    "https://user:secret@relay.example.com",
    "http://localhost@evil.example.com",
    "relay.example.com:99999",
    "two words",
  ])("%s is none", (endpoint) => {
    expect(() => parseEndpoint(endpoint)).toThrow(ConfigurationError);
  });
});
