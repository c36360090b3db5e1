"""Runs the protocol's test vectors (docs/protocol.md, 12) against verify.py: those that concern a verifier.

    python vectors.py DIR

Exit code 0: all are as expected.
"""
import hashlib, hmac, sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from verify import (
    REFUSED, SHAPES, Chain, Roster, app_of, canonical, decode, digest, encode, lines_of, outcome, plain_json, prove,
    read, read_canonical, signed_statements, verify)

# 9.1 What evidence does not hold, but a relay takes.
SHAPES["report"] = "app:digest request:digest attempt:bytes16 status:/completed|failed/ time:time"
SHAPES["cancel"] = "app:digest request:digest time:time"
LEFT = "left to the signers of the roster (3.4)"

def refused(act, *given):
    """What is refused, or None."""
    try:
        act(*given)
    except REFUSED as error:
        return error
    return None

def hkdf(secret, label):
    return HKDF(hashes.SHA256(), 32, b"", label.encode()).derive(secret)

def mac(key, text):
    return encode(hmac.digest(key, text.encode(), "sha256"))

def canonical_cases(file, _):
    for case in file["good"]:
        yield case["name"], canonical(read_canonical(case["text"])) == case["text"], True
        yield case["name"] + ": digest", digest(case["text"]), case["sha256"]
    for case in file["refused"]:
        yield case["name"], refused(read_canonical, case["text"]) is not None, True

def action_cases(file, _):
    for case in file["good"]:
        fixed = {"agent": file["agent"], "app": file["app"], "salt": file["salt"], "type": "guard/v1/action"}
        text = canonical({**case["action"], **fixed})
        yield case["name"], (text, digest(text)), (case["text"], case["digest"])
    schema, result = file["schema"], file["result"]
    text = canonical(schema["tool"])
    yield "schema", (text, digest(text)), (schema["text"], schema["digest"])
    text = canonical({"result": result["value"], "salt": file["salt"], "type": "guard/v1/result"})
    yield "result", (text, digest(text)), (result["text"], result["digest"])

def key_cases(file, _):
    agent, device, code = file["agent"], file["device"], decode(file["invitation"]["code"])
    yield "app", app_of(file["app"]["key"]), file["app"]["id"]
    secrets = {label: hkdf(decode(agent["seed"]), label) for label in agent["derived"]}
    for label, secret in secrets.items():
        yield label, encode(secret), agent["derived"][label]
    signing = ed25519.Ed25519PrivateKey.from_private_bytes(secrets["guard/v1/agent/sign"]).public_key()
    raw = signing.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    yield "signing key", encode(raw), agent["signingKey"]["publicKey"]
    texts = [("salt", [agent["app"], agent["key"]], agent["salt"]),
             ("key-id", [agent["app"], agent["key"]], agent["keyId"]),
             ("content", [agent["contentKey"]["nonce"]], agent["contentKey"])]
    texts += [("request-id", [agent["keyId"]["value"], one["round"]], one) for one in agent["requests"]]
    for label, message, want in texts:
        text = canonical(message)
        yield label, (text, mac(secrets["guard/v1/agent/" + label], text)), (want["message"], want["value"])
    plain = canonical(read_canonical(device["text"]))
    first = int.from_bytes(hashlib.sha256(digest(plain).encode()).digest()[:6], "big")
    number = f"{first % 10**12:012d}"
    yield "device", digest(plain), device["id"]
    yield "fingerprint", " ".join((number[:4], number[4:8], number[8:])), device["fingerprint"]
    proof = {key: file["possession"][key] for key in ("seq", "key")}
    text = canonical({"app": file["app"]["id"], "type": "guard/v1/possession", **proof})
    yield "possession", text, file["possession"]["text"]
    yield "token", digest(file["token"]["token"]), file["token"]["hash"]
    invitation = file["invitation"]
    yield "invitation's token", encode(hkdf(code, "guard/v1/invite/token")), invitation["token"]
    yield "its hash", digest(invitation["token"]), invitation["tokenHash"]
    yield "invitation's MAC key", encode(hkdf(code, "guard/v1/invite/mac")), invitation["macKey"]
    enrolled = canonical(invitation["enrolment"])
    yield "enrolment's MAC", mac(decode(invitation["macKey"]), enrolled), invitation["mac"]

def roster_cases(file, _):
    whole = Roster(file["chain"])
    yield "chain", (whole.app, len(whole.ids) - 1, whole.ids[-1]), (
        file["app"], file["head"]["seq"], file["head"]["hash"])
    yield "its root", whole.root, file["state"]["rootKey"]
    for kind in ("agent", "device", "identity", "relay"):
        for want in file["state"][kind + "s" if kind != "identity" else "identities"]:
            status = whole.status(kind, want[kind])
            flags = {"revoked": status == "revoked", "suspended": status == "suspended"}
            state = {**whole.said[kind, want[kind]], **flags}
            yield want[kind], {key: state[key] for key in want}, want
    for case in file["cases"]:
        if case.get("why") in ("normalised", "look-alike"):
            yield case["name"], LEFT, LEFT
            continue
        bad = first_bad(file["chain"][:int(case["after"])] + case["entries"], file["app"])
        valid = bool(case["after"] or case["entries"]) and bad is None
        yield case["name"], (valid, bad), (case["valid"], case.get("firstBad"))

def first_bad(entries, app):
    """The first entry that is refused, or None."""
    if not entries:
        return None
    if refused(Roster, entries[:1]) or Roster(entries[:1]).app != app:
        return 0
    roster = Roster(entries[:1])
    return next((seq for seq, entry in enumerate(entries[1:], 1) if refused(roster.add, entry)), None)

def statement_cases(file, rosters):
    roster = Roster(rosters["chain"])
    for case in file["cases"]:
        seq = case["roster"]
        said = signed_statements(roster, seq, [case["statement"]])
        terms = {**file["question"]["terms"], "quorum": 1, "rejections": 1}
        counted = outcome({**file["question"], "terms": terms}, roster, seq, said, 0)
        yield case["name"], counted["status"] != "pending", case["counts"]

def outcome_cases(file, rosters):
    roster = Roster(rosters["chain"])
    for case in file["cases"]:
        question, want = {**file["question"], "terms": case["terms"]}, case["outcome"]
        for order, said in (("", case["statements"]), (", backwards", case["statements"][::-1])):
            yield case["name"] + order, outcome(question, roster, case["roster"], said, case["now"]), want

def conversation_cases(file, _):
    """What the relay took has to be signed by whom it says, and receipts that it gave have to prove."""
    for case in file["cases"]:
        entries, headers, taken = {}, {}, {}
        for index, step in enumerate(file["setup"] + case["steps"]):
            body, reply = step.get("body", {}), step.get("reply") or {}
            if step["status"] not in (200, 201) or step["method"] != "POST":
                continue
            signed = body.get("root") or body.get("entry")
            if signed:
                known = entries.setdefault(plain_json(signed["body"])["app"], [])
                known += [] if signed in known else [signed]  # the head again is answered as the first time
                continue
            roster = Roster(entries[file["app"]])
            for kind in ("header", "statement", "consume", "report", "cancel"):
                if kind in body:
                    name = f"{case['name']}: {index}: {kind}"
                    given = (kind, body, reply, roster, headers, taken, step["at"])
                    yield name, refused(judge_act, *given), None

def judge_act(kind, body, reply, roster, headers, taken, now):
    """One act that the relay took."""
    signed = body[kind]
    act = read(signed, "request" if kind == "header" else kind)
    header = headers.setdefault(act["request"], act)
    signer = ("device", act["device"]) if kind == "statement" else ("agent", header["agent"])
    verify(roster.said[signer]["key"], signed)
    if kind == "statement":
        answers = taken.setdefault(act["request"], [])
        answers += signed_statements(roster, len(roster.ids) - 1, [signed])
        status = outcome(header, roster, len(roster.ids) - 1, answers, now)["status"]
        if reply.get("state", status) != status:
            raise ValueError(f"counted {status}, the relay says {reply['state']}")
    if kind == "consume":
        if prove(roster, reply["receipt"], act)["time"] > header["useBy"]:
            raise ValueError("too late")

def evidence_cases(file, _):
    rosters = {name: Roster(entries) for name, entries in file["rosters"].items()}
    for case in file["cases"]:
        lines = [line.encode("utf-8", "surrogatepass") for line in case["lines"]]
        yield case["name"], verdict(lines, rosters.get(case["roster"]), case["checkpoint"]), case["expected"]

def verdict(lines, roster, checkpoint=None):
    try:
        report = Chain(lines, roster, checkpoint).report()
    except REFUSED:
        return {"error": True}
    return {key: value for key, value in report.items() if key != "problems"}

def file_cases(file, rosters):
    roster = Roster(rosters["chain"])
    for case in file["cases"]:
        report = verdict(lines_of(decode(case["bytes"])), roster)
        yield case["name"], {key: report[key] for key in case["expected"]}, case["expected"]

FILES = {"canonical": canonical_cases, "actions": action_cases, "keys": key_cases, "rosters": roster_cases,
         "statements": statement_cases, "outcomes": outcome_cases, "conversations": conversation_cases,
         "evidence": evidence_cases, "files": file_cases}

def run(directory):
    """Prints how many cases of each file ran and which differ. 0: none differs, and no file is empty."""
    def load(name):
        return plain_json((directory / f"{name}.json").read_text("utf-8"))
    rosters, bad = load("rosters"), 0
    for name, cases in FILES.items():
        ran = differ = left = 0
        for case, got, want in cases(load(name), rosters):
            left += got is LEFT
            ran += got is not LEFT
            if got != want:
                differ += 1
                print(f"{name}: {case}: {got!r}, expected {want!r}")
        bad += differ + (ran == 0)
        print(f"{name}: {ran} ran, {differ} differ" + (f", {left} {LEFT}" if left else ""))
    print("all as expected" if not bad else "there are differences")
    return 1 if bad else 0

if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
