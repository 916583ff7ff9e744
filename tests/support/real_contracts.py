"""Serve a contract with mock answers and ask every operation once."""

from __future__ import annotations

import json
import sys
import time
from http import HTTPStatus
from pathlib import Path

from cost import slowness
from flask import Flask
from sample_requests import RequestSamples

from demijohn import Demijohn, Settings
from demijohn.contract import Contract, Operation


def answer_all(file: Path) -> list[str]:
    """Return what is wrong with the answers: one line for each operation that did not get a documented one."""
    app = Flask(file.name)
    Demijohn(app, settings=Settings(unbound="mock")).add_contract(file)
    contract: Contract = app.extensions["demijohn"].apis[0].contract
    client = app.test_client(use_cookies=False)
    samples = RequestSamples(contract)
    wrong = []
    for operation in contract.operations:
        sent = samples.make(operation)
        headers = sent.headers | ({"Content-Type": sent.content_type} if sent.content_type else {})
        reply = client.open(
            f"{contract.base_path}{sent.path}",
            method=sent.method,
            query_string=sent.query,
            headers=headers,
            data=sent.body,
        )
        if not _is_documented(operation, reply.status_code):
            status = HTTPStatus(reply.status_code)
            wrong.append(f"{operation.method} {operation.path}: {status.value} {status.phrase} {reply.text[:300]}")
    with client.get(f"{contract.base_path}/openapi.json") as document:
        if json.loads(document.data) != contract.sources[0].value:
            wrong.append("the served document is not the one that was written")
    return wrong


def _is_documented(operation: Operation, status: int) -> bool:
    """Tell whether a status is one that the operation declares, and a successful one if it declares any."""
    keys = {str(status), f"{status // 100}XX", "default"}
    if not operation.responses:
        return status < 300
    succeeds = any(key[0] == "2" for key in operation.responses)
    return bool(keys & set(operation.responses)) and (status < 400 or not succeeds)


def main(folder: Path) -> None:
    """Print the processor seconds that each contract in a folder takes, as JSON."""
    seconds = {}
    for file in sorted(folder.iterdir()):
        if file.suffix in (".json", ".yaml"):
            start = time.process_time()
            answer_all(file)
            took_s = time.process_time() - start
            seconds[file.name] = took_s / slowness() if took_s > 1 else took_s
    print(json.dumps(seconds))  # noqa: T201  # its answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
