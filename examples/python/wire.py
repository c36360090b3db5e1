"""What is on the wire: canonical JSON, types of fields, signed objects and signatures.
Numbers in comments are sections of docs/protocol.md."""
import base64, hashlib, json, re
from decimal import Decimal
from math import inf
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

class Refused(Exception):
    """Something is not as the protocol has it. `seq`: the event to blame, where that is another one."""
    def __init__(self, message, seq=None):
        super().__init__(message)
        self.seq = seq

def need(condition, message, seq=None):
    """The protocol's "must"."""
    if not condition:
        raise Refused(message, seq)

# ---- 2.1 Canonical JSON. Every number is a double.

def plain_json(text):
    """Any JSON of RFC 8259, which has no NaN and no Infinity."""
    def constant(name):
        raise ValueError(f"{name} is not JSON")
    try:
        return json.loads(text, parse_int=float, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from error

def number(value):
    """A double as ECMAScript's Number::toString writes it."""
    need(abs(value) < inf, "a number that no double holds")
    if value == 0:
        return "0"
    negative, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    sign, d = "-" if negative else "", "".join(map(str, digits))
    k, n = len(d), len(d) + exponent
    if k <= n <= 21:
        return sign + d + "0" * (n - k)
    if 0 < n <= 21:
        return sign + d[:n] + "." + d[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + d
    return sign + d[0] + ("." + d[1:] if k > 1 else "") + f"e{n - 1:+d}"

def canonical(value, depth=1):
    """The one text of a value (RFC 8785), at most 64 objects and arrays deep."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        need(not re.search("[\ud800-\udfff]", value), "a lone surrogate")
        return json.dumps(value, ensure_ascii=False)
    need(depth <= 64, "more than 64 levels")
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(canonical(key) + ":" + canonical(value[key], depth + 1) for key in keys) + "}"

def read_canonical(text):
    """The value of a text that is its own canonical form."""
    value = plain_json(text)
    need(canonical(value) == text, "not canonical JSON")
    return value

def encode(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()

def decode(text):
    """The bytes of a base64url text; None where it is not exactly their one spelling."""
    if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        return None
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return octets if encode(octets) == text else None

def digest(text):
    return encode(hashlib.sha256(text.encode()).digest())

# ---- 2.2 Types of fields: functions that say whether a value is of the type.

def chars(low=0, high=inf):
    return lambda v: isinstance(v, str) and low <= len(v.encode("utf-16-be", "surrogatepass")) // 2 <= high

def octets(size):
    return lambda v: isinstance(v, str) and len(decode(v) or b"") == size

def point(v):
    """2.4 An uncompressed point: hybrid ones would be other spellings of the same key."""
    return octets(65)(v) and decode(v)[0] == 4

def integer(low, high):
    return lambda v: isinstance(v, float) and v.is_integer() and low <= v <= high

def pattern(expression):
    return lambda v: isinstance(v, str) and re.fullmatch(expression, v) is not None

def one(*values):
    return lambda v: isinstance(v, str) and v in values

def maybe(kind):
    return lambda v: v is None or kind(v)

def either(*kinds):
    return lambda v: any(kind(v) for kind in kinds)

def many(kind, low=0, high=inf):
    return lambda v: isinstance(v, list) and low <= len(v) <= high and all(map(kind, v))

def strict(optional=(), **members):
    """An object with these members and no others."""
    return lambda v: (isinstance(v, dict) and members.keys() - set(optional) <= v.keys() <= members.keys()
                      and all(members[key](item) for key, item in v.items()))

TEXT, SOME, DIGEST, HEX = chars(), chars(1), octets(32), pattern("[0-9a-f]{64}")
COUNT, TIME, NAME = integer(0, 2**53 - 1), integer(0, 864e13), pattern("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
HEAD = strict(seq=COUNT, hash=DIGEST)
ASSERTION = strict(authenticatorData=chars(0, 4096), clientDataJSON=chars(0, 8192), signature=chars(0, 200))
SIGNED = strict(body=TEXT, signature=either(chars(0, 100), ASSERTION))
KEY = either(
    strict(kind=one("ed25519"), publicKey=octets(32)), strict(kind=one("p256"), publicKey=point))
ANY_KEY = either(KEY, *(strict(
    kind=one("webauthn"), alg=one(alg), publicKey=form, credentialId=chars(1, 1400), rpId=chars(1, 253),
    origins=many(chars(0, 300), 1, 20)) for alg, form in (("ES256", point), ("EdDSA", octets(32)))))
PERSON, REASON, SEALING_KEY = chars(1, 320), maybe(chars(1, 500)), octets(1216)
CHANGES = {  # 3.1
    "root": {"key": KEY, "possession": octets(64)},
    "admin": {"admin": NAME, "key": KEY},
    "identity": {"identity": PERSON},
    "agent": {"agent": NAME, "key": KEY, "encryptionKey": SEALING_KEY},
    "relay": {"relay": NAME, "key": KEY},
    "device": {"device": DIGEST, "identity": PERSON, "key": ANY_KEY, "encryptionKey": SEALING_KEY,
               "name": chars(1, 100), "origin": chars(1, 300)},
    "revoke": {"target": strict(kind=one("admin", "identity", "agent", "relay", "device"), id=PERSON),
               "reason": REASON},
    "suspend": {"agent": NAME, "reason": REASON},
    "lift": {"agent": NAME},
    "renew": {}}
CHANGE = either(*(strict(kind=one(kind), **members) for kind, members in CHANGES.items()))

TERMS_SHAPE = strict(approvers=many(PERSON, 1, 100), quorum=integer(1, 100), rejections=integer(1, 100),
                     editable=lambda v: isinstance(v, bool), requester=maybe(PERSON))

def terms(v):
    """5.3: approvers ascend, and there are enough of them besides the requester."""
    if not TERMS_SHAPE(v):
        return False
    names = [name.encode("utf-16-be", "surrogatepass") for name in v["approvers"]]
    return names == sorted(set(names)) and len(set(v["approvers"]) - {v["requester"]}) >= v["quorum"]

def header_fits(v):
    """5.4: the order of times, and no device twice."""
    devices = {recipient["device"] for recipient in v["recipients"]}
    return v["createdAt"] < v["expiresAt"] <= v["useBy"] and len(devices) == len(v["recipients"])

ACT = {"app": DIGEST, "request": DIGEST}
USE = {**ACT, "requestDigest": DIGEST, "effective": DIGEST, "roster": HEAD, "attempt": octets(16)}
OBJECTS = {  # 3.1, 5.4, 7.1, 9.1, 10.3
    "roster": {"app": DIGEST, "seq": COUNT, "prev": maybe(DIGEST), "time": TIME, "by": NAME,
               "change": CHANGE},
    "request": {**ACT, "agent": chars(1, 100), "keyId": DIGEST, "round": COUNT, "nonce": octets(32),
                "requestDigest": DIGEST, "actionDigest": DIGEST, "ciphertextHash": DIGEST, "terms": terms,
                "createdAt": TIME, "expiresAt": TIME, "useBy": TIME,
                "recipients": many(strict(device=DIGEST, wrapHash=DIGEST), 1, 200)},
    "statement": {**ACT, "requestDigest": DIGEST, "actionDigest": DIGEST, "effective": DIGEST,
                  "decision": one("approve", "reject"), "response": maybe(DIGEST), "identity": TEXT,
                  "device": DIGEST, "roster": HEAD, "time": TIME},
    "consume": {**USE, "executionTimeout": integer(1000, 604_800_000)},
    "receipt": {**USE, "relay": TEXT, "time": TIME},
    "report": {**ACT, "attempt": octets(16), "status": one("completed", "failed"), "time": TIME},
    "cancel": {**ACT, "time": TIME},
    "checkpoint": {"app": DIGEST, "agent": SOME, "chain": octets(16), "seq": maybe(COUNT),
                   "hash": maybe(HEX), "roster": HEAD, "time": TIME}}
FITS = {"request": header_fits, "checkpoint": lambda v: (v["seq"] is None) == (v["hash"] is None)}

ASKED, NOTES = {"call": SOME, "request": maybe(DIGEST)}, many(TEXT)
PAYLOADS = {kind: strict(["args"], **members) for kind, members in {  # 10.4
    "TOOL_CALL_PROPOSED": {"call": SOME, "tool_name": TEXT, "call_id": maybe(TEXT), "action_digest": DIGEST,
                           "args": lambda v: True},
    "POLICY_DECISION": {"call": SOME, "outcome": one("allow", "deny", "require_approval"), "rule": TEXT,
                        "version": TEXT, "reasons": NOTES},
    "APPROVAL_REQUESTED": {"call": SOME, "request": DIGEST, "header": SIGNED},
    "APPROVAL_DECIDED": {"call": SOME, "request": DIGEST, "effective": maybe(DIGEST),
                         "outcome": one("approved", "rejected", "expired", "cancelled", "superseded",
                                        "verification_failed"), "statements": many(SIGNED)},
    "TOOL_CALL_ALLOWED": {**ASKED, "action_digest": DIGEST, "effective": DIGEST, "consume": maybe(SIGNED),
                          "receipt": maybe(SIGNED), "roster": HEAD},
    "TOOL_CALL_DENIED": {**ASKED, "code": TEXT, "reasons": NOTES},
    "TOOL_CALL_EXECUTED": {**ASKED, "execution_id": TEXT, "effective": DIGEST},
    "TOOL_RESULT": {**ASKED, "execution_id": TEXT, "status": one("ok", "error"), "error": maybe(TEXT),
                    "result_digest": maybe(DIGEST)},
    "ERROR_RAISED": {"call": SOME, "code": TEXT, "message": TEXT}}.items()}
CHECKPOINT = strict(checkpoint=SIGNED)
EVENT = strict(["prev_hash"], tenant_id=SOME, user_id=SOME, session_id=SOME, seq=COUNT, ts_unix_ms=TIME,
               payload=lambda v: isinstance(v, dict), prev_hash=HEX, event_type=one(
    *PAYLOADS, "CHECKPOINT_CREATED", "MODEL_CALL_STARTED", "MODEL_CALL_FINISHED", "MEMORY_READ",
    "MEMORY_WRITE", "HANDOFF_REQUESTED", "HANDOFF_COMPLETED", "TERMINATION"))

def read(signed, kind):
    """2.3, steps 1 to 4: what a signed object says. Who signed it is another question."""
    need(SIGNED(signed), "not a signed object")
    value = read_canonical(signed["body"])
    need(strict(type=one(f"guard/v1/{kind}"), **OBJECTS[kind])(value), f"not a guard/v1/{kind}")
    need(FITS.get(kind, bool)(value), f"a guard/v1/{kind} that contradicts itself")
    return value

# ---- 2.4 Signatures

def verifies(key, body, signature):
    """Whether the signature is the key's over the text."""
    if key["kind"] == "webauthn":
        return isinstance(signature, dict) and assertion_verifies(key, body, signature)
    raw = decode(signature) if isinstance(signature, str) else None
    if raw is None or len(raw) != 64:
        return False
    if key["kind"] == "p256":
        raw = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return bytes_verify(decode(key["publicKey"]), body.encode(), raw)

def bytes_verify(public_key, signed, raw):
    """Ed25519 under a key of 32 bytes; ECDSA on P-256 with a DER signature under one of 65."""
    try:
        if len(public_key) == 32:
            ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(raw, signed)
        else:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
            point.verify(raw, signed, ec.ECDSA(hashes.SHA256()))
        return True
    except (InvalidSignature, ValueError):  # not its signature; no point, no signature
        return False

def assertion_verifies(key, body, assertion):
    """A passkey's assertion (WebAuthn) over the text."""
    data, client, raw = (
        decode(assertion[part]) for part in ("authenticatorData", "clientDataJSON", "signature"))
    if data is None or client is None or raw is None:
        return False
    try:
        said = plain_json(client.decode())
    except (Refused, UnicodeDecodeError):
        return False
    return (isinstance(said, dict) and said.get("type") == "webauthn.get"
            and said.get("challenge") == digest(body) and said.get("origin") in key["origins"]
            and said.get("crossOrigin") is not True and "topOrigin" not in said
            and len(data) >= 37 and data[:32] == hashlib.sha256(key["rpId"].encode()).digest()
            and data[32] & 5 == 5 and (len(raw) == 64 if key["alg"] == "EdDSA" else is_strict_der(raw))
            and bytes_verify(decode(key["publicKey"]), data + hashlib.sha256(client).digest(), raw))

def is_strict_der(raw):
    """Two integers of at most 32 bytes, minimal and not negative, and nothing else."""
    rest = raw[2:]
    for _ in "rs":
        size = rest[1] if len(rest) > 1 else 0
        value = rest[2:2 + size]
        if rest[:1] != b"\x02" or len(value) != size or size == 0 or value[0] > 127:
            return False
        if size > 1 and value[0] == 0 and value[1] < 128 or len(value.lstrip(b"\0")) > 32:
            return False
        rest = rest[2 + size:]
    return raw[:1] == b"\x30" and raw[1] == len(raw) - 2 and not rest
