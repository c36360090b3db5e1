"""The client that Noxy published, driven by a test: nothing of it is replaced.

Reads from standard input one line with the client's configuration, then one line a call:
{"id": 1, "call": "send", "with": {...}}. Calls run side by side. Each is answered by a line
{"id": 1, "result": ...} or {"id": 1, "error": {...}}. Ends with its standard input.
"""

import enum
import json
import sys
import threading
import time
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal

import grpc
import noxy

CALLS = {
    "send": lambda client, identity, actionable: client.send_decision(identity, actionable),
    "outcome": lambda client, decision, identity: client.get_decision_outcome(decision, identity),
    "wait": lambda client, **options: client.wait_for_decision_outcome(
        noxy.WaitForDecisionOutcomeOptions(**options)
    ),
    "ask": lambda client, identity, actionable, **options: client.send_decision_and_wait_for_outcome(
        identity, actionable, noxy.SendDecisionAndWaitOptions(**options)
    ),
    "quota": lambda client: client.get_quota(),
}

writing = threading.Lock()


def of_python(value):
    """What JSON has no word for: {"$decimal": "1.50"} and {"$datetime": "2026-01-02T03:04:05"}."""
    if value.keys() == {"$decimal"}:
        return Decimal(value["$decimal"])
    if value.keys() == {"$datetime"}:
        return datetime.fromisoformat(value["$datetime"])
    return value


def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {name: plain(item) for name, item in asdict(value).items()}
    return value.name if isinstance(value, enum.Enum) else value


def words(error):
    said = {"type": type(error).__name__, "message": str(error), "code": None, "trailers": {}}
    if isinstance(error, grpc.RpcError):
        said["code"] = error.code().name
        said["message"] = error.details()
        said["trailers"] = dict(error.trailing_metadata() or ())
    return said


def run(client, line):
    asked = json.loads(line, object_hook=of_python)
    started = time.monotonic()
    try:
        answer = {"result": plain(CALLS[asked["call"]](client, **asked["with"]))}
    except Exception as error:
        answer = {"error": words(error)}
    answer |= {"id": asked["id"], "ms": round((time.monotonic() - started) * 1000)}
    with writing:
        print(json.dumps(answer), flush=True)


def main():
    config = noxy.NoxyConfig(**json.loads(sys.stdin.readline()))
    with noxy.init_noxy_agent_client(config) as client:
        for line in sys.stdin:
            threading.Thread(target=run, args=(client, line), daemon=True).start()


main()
