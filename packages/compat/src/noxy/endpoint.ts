/**
 * Where the relay is, and by what it is trusted. As in Noxy's SDKs the scheme is cut off and the connection is TLS;
 * only `http://` of this very machine means plaintext, for a relay under development.
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials, type VerifyOptions } from "@grpc/grpc-js";
import { ConfigurationError } from "@guard/core";
import type { NoxyConfig } from "./options.ts";

export interface Endpoint {
  /** host:port */
  readonly address: string;
  readonly plaintext: boolean;
}

const loopback = ["127.0.0.1", "localhost", "[::1]"];

/** @throws ConfigurationError where it names no host */
export function parseEndpoint(endpoint: string): Endpoint {
  const rest = endpoint
    .trim()
    .replace(/^https?:\/\//i, "")
    .replace(/\/+$/, "");
  let url: URL;
  try {
    url = new URL(`http://${rest}`);
  } catch (cause) {
    throw new ConfigurationError(notAnEndpoint, { cause });
  }
  const { hostname, pathname, search, hash, username, password } = url;
  if (hostname === "" || pathname !== "/" || search + hash + username + password !== "") {
    throw new ConfigurationError(notAnEndpoint);
  }
  const plaintext = /^http:\/\//i.test(endpoint.trim()) && loopback.includes(hostname);
  // URL drops the port that is its scheme's own.
  const given = url.port || (/:0*80$/.test(rest) ? "80" : "");
  return { address: `${hostname}:${given || (plaintext ? "80" : "443")}`, plaintext };
}

/**
 * An IP address is no server name in TLS (RFC 6066 §3), and Node refuses it as one, as grpc-js would give it. So another
 * name is given, and the certificate is checked for the address.
 */
export function nameOptions({ address }: Endpoint): ChannelOptions {
  return ipOf(address) === null ? {} : { "grpc.ssl_target_name_override": "localhost" };
}

function verifying(address: string): VerifyOptions {
  const ip = ipOf(address);
  return ip === null ? {} : { checkServerIdentity: (_name, cert) => checkServerIdentity(ip, cert) };
}

function ipOf(address: string): string | null {
  const host = address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return isIP(host) === 0 ? null : host;
}

/** @throws ConfigurationError where `tls` cannot be used */
export function credentialsOf({ address, plaintext }: Endpoint, tls: NoxyConfig["tls"]): ChannelCredentials {
  const secure = (ca: Buffer | null) => credentials.createSsl(ca, null, null, verifying(address));
  if (tls === undefined) return plaintext ? credentials.createInsecure() : secure(null);
  if (plaintext) {
    throw new ConfigurationError(`tls.ca is of no use with http://${address}: write https://.`);
  }
  let ca: Buffer;
  try {
    ca = Buffer.from(tls.ca as Uint8Array);
    new X509Certificate(ca);
  } catch (cause) {
    throw new ConfigurationError("tls.ca is no certificate in PEM: give the file's contents, not its path.", {
      cause,
    });
  }
  return secure(ca);
}

// The endpoint itself is not quoted: somebody may have put a password or the token there.
const notAnEndpoint =
  "initNoxyAgentClient: endpoint is no host and port. Write https://relay.example.com or relay.example.com:443, without a path.";
