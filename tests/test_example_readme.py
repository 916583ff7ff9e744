"""The lines of the Library's README do what they say: they are run, one after the other, against a running library."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from outside import skip_or_fail
from served import served, wait_for

LIBRARY = Path(__file__).parents[1] / "examples" / "library"


def test_the_lines_of_the_library_run(tmp_path: Path) -> None:
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            skip_or_fail(f"{program} is not installed")
    text = (LIBRARY / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- run -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 6
    target = shutil.copytree(LIBRARY, tmp_path / "library", ignore=shutil.ignore_patterns("instance", "tests"))
    variables = {"DATABASE_URL": f"sqlite:///{tmp_path}/library.sqlite", "DEMIJOHN_ENVIRONMENT": "development"}
    secret = {"SECRET_KEY": "h2 Vh7Qw0mJ4sT9xK2pL6rN8bC3dF5gZ1yA"}
    with served(target, cwd=tmp_path, **variables, **secret) as address:
        wait_for(f"{address}/books")
        lines = "\n".join(blocks).replace("localhost:5000", address).replace("examples/library", str(target))
        # Every answer has to be a good one, and is seen where one is not.
        curl = 'curl() { command curl --silent --show-error --fail-with-body --write-out "\\n" "$@"; }'
        script = f"set -euo pipefail\n{curl}\n{lines}"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=os.environ | variables | secret | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"title":"Theogony"' in done.stdout.splitlines()[-2]
