"""Run a module until its own parser has understood all words, and end there.

python -m release_tests.parsed MODULE WORDS...
"""

import argparse
import os
import runpy
import sys

depth = 0  # a parser calls itself, or another one


def ending(method):
    """A method that parses, and then ends the program if no option is left."""

    def parse(self, args=None, namespace=None):
        global depth
        depth += 1
        try:
            done = method(self, args, namespace)
        finally:
            depth -= 1
        left = done[1] if isinstance(done, tuple) else []
        if not depth and not any(word.startswith("-") for word in left):
            os._exit(0)
        return done

    return parse


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser
    PARSER.parse_args = ending(PARSER.parse_args)
    PARSER.parse_known_args = ending(PARSER.parse_known_args)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
