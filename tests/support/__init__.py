"""What tests share: small networks, films, senders of streams, boards as folders."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
