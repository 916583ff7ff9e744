"""A contract that is there already to the first draft of a project that serves it."""

from demijohn.cli.scaffold.draft import Draft, draft_of
from demijohn.cli.scaffold.probing import Probe, probe
from demijohn.cli.scaffold.texts import application_text, readme_parts, tests_text

__all__ = ["Draft", "Probe", "application_text", "draft_of", "probe", "readme_parts", "tests_text"]
