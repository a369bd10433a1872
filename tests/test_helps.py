"""What every program says of itself: each of its options in words."""

import argparse
import sys

import pytest

from hotpath.app.cli import option_parser
from hotpath.app.cli.networks import networks_command as networks
from hotpath.deploy.bundles import engine_command as engine
from hotpath.deploy.doctor import boards_command as boards

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="calib/ needs Python 3.10")


def parsers():
    from hotpath.calib import int8_command as int8
    from hotpath_lab import evaluate, vot

    yield from (option_parser.parser(), boards._parser(), engine._parser(), networks._parser())
    yield from (each.parser() for each in (vot, evaluate, int8))


def described(parser):
    """(program, option, its text) of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in set(action.choices.values()):
                yield from described(command)
        else:
            yield parser.prog, (action.option_strings or [action.dest])[-1], action.help


def test_every_option_of_every_program_has_a_text():
    found = [each for parser in parsers() for each in described(parser)]
    assert ("hotpath track", "--video") in {each[:2] for each in found}
    assert [each[:2] for each in found if not each[2]] == []
